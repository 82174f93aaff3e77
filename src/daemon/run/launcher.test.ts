import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { leftOf, newHome, openTestRuns, shellSpec, specOf } from "../../../test/run-home.ts";
import { gone } from "../../../test/system/os-processes.ts";
import { turn } from "../../../test/system/turn.ts";
import type { Home } from "../home.ts";
import { commandBytesMax, Launcher, type ShimFailure } from "./launcher.ts";
import { pipeFile, runFile } from "./run-files.ts";
import type { ShimCall } from "./run-launch.ts";
import { shimStatus } from "./shim-script.ts";

const isLauncher = ({ command }: { readonly command: string }): boolean => / launch /.test(command);

/** The launcher's command line is its shims' too; it is the one that is nobody's shim. */
function launcherOf(home: Home, ...ids: readonly string[]): number {
  const shims = new Set(ids.map((id) => Number(readFileSync(runFile(home, id, "shim"), "utf8").split(" ")[0])));
  const [launcher] = leftOf(home).filter((each) => isLauncher(each) && !shims.has(each.pid));
  return launcher!.pid;
}

test("runs go on when their launcher is killed, and later ones get another", async () => {
  const { home, runs, end } = openTestRuns(newHome());
  const go = join(home.root, "go");
  await runs.start(shellSpec(home, "web.1.1", `until [ -e ${go} ]; do sleep 0.01; done; exit 7`));
  const first = launcherOf(home, "web.1.1");
  process.kill(first, "SIGKILL");
  await gone(first);

  // Its end may be told after the next start has begun, which then fails as the daemon's own trouble.
  const startAgain = (id: string): Promise<unknown> => runs.start(specOf(home, id, { argv: ["false"] }));
  const later = await startAgain("web.2.1").then(
    () => "web.2.1",
    () => startAgain("web.2.2").then(() => "web.2.2"),
  );
  writeFileSync(go, "");

  expect(await end(later)).toMatchObject({ code: 1 });
  expect(await end("web.1.1")).toMatchObject({ code: 7 });
});

test("a run whose launcher is killed before it got to it fails as the daemon's own trouble, and never begins", async () => {
  const { home, runs } = openTestRuns(newHome());
  await runs.start(specOf(home, "web.1.1", { argv: ["sleep", "1000"] }));
  const launcher = launcherOf(home, "web.1.1");
  process.kill(launcher, "SIGSTOP");
  const began = join(home.root, "began");

  const start = runs.start(shellSpec(home, "web.2.1", `echo >${began}`)).catch((error: unknown) => error);
  while (!existsSync(runFile(home, "web.2.1", "spec"))) await turn();
  process.kill(launcher, "SIGKILL");

  expect(await start).toMatchObject({
    message: "/bin/sh could not be started: its launcher has ended",
    isOwnTrouble: true,
  });
  expect(existsSync(began)).toBe(false);
});

test("commands wait for a launcher that does not read, up to a limit", async () => {
  const { home, runs } = openTestRuns(newHome());
  await runs.start(specOf(home, "web.1.1", { argv: ["sleep", "1000"] }));
  const launcher = new Launcher(home, process.env["PATH"]!);
  onTestFinished(() => launcher.close());
  const call: ShimCall = { words: [], env: { LONG: "x".repeat(1_048_576) }, cwd: "/" };
  await launcher.start("long.1.0", call, () => {});
  onTestFinished(() => launcher.renew());

  let count = 1;
  const refused = await (async (): Promise<unknown> => {
    try {
      for (; count < 100; count++) await launcher.start(`long.1.${count}`, call, () => {});
      return undefined;
    } catch (error) {
      return error;
    }
  })();

  expect(refused).toMatchObject({ message: "the launcher does not read its commands", code: "EAGAIN" });
  expect(count).toBeGreaterThanOrEqual(commandBytesMax / 1_048_576);
});

test("a shim that fails says why, and who it was", async () => {
  const { home, runs } = openTestRuns(newHome());
  await runs.start(specOf(home, "web.1.1", { argv: ["sleep", "1000"] }));
  const launcher = new Launcher(home, process.env["PATH"]!);
  onTestFinished(() => launcher.close());
  const failures = new Map<string, ShimFailure>();
  const words = (id: string): string[] => [
    runFile(home, id, "spec").replace(/\.spec$/, ""),
    join(home.root, "no", "pipes"),
    ...["null", "-", "-", "0", "", "setsid", "true"],
  ];
  for (const id of ["web.2.1", "web.3.1"]) writeFileSync(runFile(home, id, "spec"), "");

  for (const [id, cwd] of [
    ["web.2.1", "/"],
    ["web.3.1", "/no/such/folder"],
  ] as const)
    await launcher.start(id, { words: words(id), env: {}, cwd }, (failure) => failures.set(id, failure));
  while (failures.size < 2) await turn();

  expect(failures.get("web.2.1")).toMatchObject({ status: shimStatus.pipes });
  expect(failures.get("web.2.1")!.problem).toContain("No such file or directory");
  expect(failures.get("web.3.1")).toMatchObject({ status: shimStatus.folder });
  expect(failures.get("web.3.1")!.problem).toContain("/no/such/folder");
});

test("a service gets its variables whatever they are called", async () => {
  const { home, runs, recorder, end } = openTestRuns(newHome());
  const env = { IFS: "x/", PS4: "$(exit 1)", ENV: "/no", CDPATH: "/tmp", OLDPWD: "/before", UID: "5", LINENO: "7" };
  const argv: [string, ...string[]] = [process.execPath, "-e", "console.log(JSON.stringify(process.env))"];
  await runs.start(specOf(home, "web.1.1", { argv, env: { ...env, PWD: "/elsewhere" }, cwd: home.root }));
  await end("web.1.1");

  expect(JSON.parse(recorder.textOf("web.1.1").stdout)).toMatchObject({ ...env, PWD: home.root });
});

test("what a daemon has given up does not begin, also when its shim was at it", async () => {
  const { home, runs } = openTestRuns(newHome());
  const began = join(home.root, "began");
  const readiness = { kind: "notify" } as const;
  void runs.start(shellSpec(home, "web.1.1", `echo >${began}`, { readiness })).catch(() => {});
  while (!existsSync(runFile(home, "web.1.1", "notify"))) await turn();
  rmSync(runFile(home, "web.1.1", "shim"));

  const socket = createServer().listen(pipeFile(home, "web.1.1", "notify"));
  onTestFinished(() => void socket.close());
  while (!existsSync(runFile(home, "web.1.1", "pid"))) await turn();
  const pid = Number(readFileSync(runFile(home, "web.1.1", "pid"), "utf8").split(" ")[0]);
  await gone(pid);

  expect(existsSync(began)).toBe(false);
});
