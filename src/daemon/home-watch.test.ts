import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { FakeClock } from "../../test/fake-cli-host.ts";
import { homeLookMs, watchHome } from "./home-watch.ts";

function home() {
  const folder = mkdtempSync(join(tmpdir(), "colos-home-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "home", "lock");
  mkdirSync(join(folder, "home"));
  writeFileSync(file, "");
  const clock = new FakeClock();
  let lostCount = 0;
  const watch = (): (() => void) => watchHome(file, clock, () => (lostCount += 1));
  return { file, clock, watch, lost: () => lostCount };
}

/** As another file: the old one is still there, so the OS gives another inode. */
function replace(file: string): void {
  writeFileSync(`${file}.other`, "");
  renameSync(`${file}.other`, file);
}

test.each([
  ["deleted", (file: string) => rmSync(file)],
  ["deleted with its folder", (file: string) => rmSync(join(file, ".."), { recursive: true })],
  ["replaced", (file: string) => replace(file)],
])("a home that is %s is lost at the second look, and told once", (_how, change) => {
  const { file, clock, watch, lost } = home();
  onTestFinished(watch());
  clock.advance(3 * homeLookMs);
  expect(lost()).toBe(0);

  change(file);
  clock.advance(homeLookMs);
  expect(lost()).toBe(0);
  clock.advance(5 * homeLookMs);
  expect(lost()).toBe(1);
});

test("a home that was not there for a moment is not lost", () => {
  const { file, clock, watch, lost } = home();
  onTestFinished(watch());
  for (let count = 0; count < 3; count++) {
    renameSync(file, `${file}.away`);
    clock.advance(homeLookMs);
    renameSync(`${file}.away`, file);
    clock.advance(homeLookMs);
  }
  expect(lost()).toBe(0);
});

test("nobody is told after the end", () => {
  const { file, clock, watch, lost } = home();
  const end = watch();
  rmSync(file);
  clock.advance(homeLookMs);
  end();
  clock.advance(5 * homeLookMs);
  expect(lost()).toBe(0);
});
