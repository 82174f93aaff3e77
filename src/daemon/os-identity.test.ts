import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished } from "vitest";
import { needsLinux } from "../../test/debian.ts";
import { oneFile } from "../../test/one-file.mjs";
import type { Seen } from "../../test/short-of-descriptors.ts";
import { homeAt } from "./home.ts";

/** A home with one run that runs, for all that stands in it. */
function homeWithRun(): string {
  const home = homeAt(mkdtempSync(join(tmpdir(), "colos-short-")));
  onTestFinished(() => rmSync(home.root, { recursive: true, force: true }));
  for (const folder of [home.runs, home.pipes]) mkdirSync(folder);
  writeFileSync(join(home.runs, "web.1.1.spec"), '{"id":"web.1.1"}\n');
  writeFileSync(join(home.runs, "web.1.1.pid"), "1 1\n");
  return home.root;
}

needsLinux().test("without file descriptors nobody who lives is taken for dead, and no run for forgotten", async () => {
  const source = new URL("../../test/short-of-descriptors.ts", import.meta.url);
  const { file } = await oneFile(source, "short");
  const home = homeWithRun();

  const limited = ["-c", 'ulimit -n 40; exec "$0" "$@"', process.execPath, file, home];
  const { stdout } = await promisify(execFile)("/bin/sh", limited);
  const [withSpare, without] = JSON.parse(stdout) as [Seen, Seen];

  expect(withSpare).toEqual({ isAlive: true, isSurelyAlive: true, runs: ["web.1.1"], look: "seen", port: "EMFILE" });
  expect(without).toEqual({ isAlive: true, isSurelyAlive: false, runs: "EMFILE", look: "EMFILE", port: "EMFILE" });
  expect(existsSync(join(home, "runs/web.1.1.pid"))).toBe(true);
});
