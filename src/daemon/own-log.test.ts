import { appendFileSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { FakeClock } from "../../test/fake-cli-host.ts";
import { keepOwnLog, ownLogLookMs } from "./own-log.ts";

test("own log: what is too long is begun anew in the same file, and one older file is kept", () => {
  const folder = mkdtempSync(join(tmpdir(), "colos-own-log-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "daemon");
  const clock = new FakeClock();
  const log = openSync(file, "a");
  onTestFinished(() => closeSync(log));
  const stop = keepOwnLog(file, clock, 10);

  writeSync(log, "0123456789");
  clock.advance(ownLogLookMs);
  expect(readFileSync(file, "utf8")).toBe("0123456789");
  writeSync(log, "a");
  clock.advance(ownLogLookMs);
  writeSync(log, "b");
  expect([readFileSync(file, "utf8"), readFileSync(`${file}.1`, "utf8")]).toEqual(["b", "0123456789a"]);

  stop();
  appendFileSync(file, "0123456789");
  clock.advance(ownLogLookMs);
  expect(readFileSync(file, "utf8")).toBe("b0123456789");
  expect(clock.timersCount).toBe(0);
});

test("own log: a file that is not there harms nobody", () => {
  const clock = new FakeClock();
  const stop = keepOwnLog("/nowhere/daemon", clock);
  clock.advance(ownLogLookMs);
  stop();
  expect(clock.timersCount).toBe(0);
});
