import {
  closeSync,
  constants,
  existsSync,
  statSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { buildRunDaemon, RunDaemonProcess } from "../../../test/run-daemon-process.ts";
import { leftOf, newHome, openTestRuns, shellSpec, specOf } from "../../../test/run-home.ts";
import { gone } from "../../../test/system/os-processes.ts";
import { turn } from "../../../test/system/turn.ts";
import type { Home } from "../home.ts";
import { bootId } from "../os-identity.ts";
import { pipeFile, runFile, tryClaim, writeRecord } from "./run-files.ts";
import { Launcher, type ShimFailure } from "./launcher.ts";
import { shimCall } from "./run-launch.ts";
import type { RunId, RunSpec } from "./run.ts";
import { shimStatus } from "./shim-script.ts";

const folder = mkdtempSync(join(tmpdir(), "colos-run-daemon-"));
let file: string;
beforeAll(async () => {
  file = await buildRunDaemon(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

const linesOf = (path: string): string[] =>
  existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
const pidIn = (path: string): number => Number(readFileSync(path, "utf8").split(" ")[0]);

async function exists(path: string): Promise<void> {
  // A shell makes a file and then fills it.
  while ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0) await turn();
}

test("an exit status that nobody was there to see is found by the next daemon", async () => {
  const home = newHome();
  const go = join(home.root, "go");
  const daemon = new RunDaemonProcess(file, home);
  daemon.start(shellSpec(home, "web.1.1", `until [ -e ${go} ]; do sleep 0.01; done; echo last words; exit 7`));
  const { identity } = await daemon.report("started", "web.1.1");
  await daemon.kill();
  writeFileSync(go, "");
  await gone(identity.osPid);
  await exists(runFile(home, "web.1.1", "exit"));

  const { runs, recorder } = openTestRuns(home);
  const recovered = await runs.recover();

  expect(recovered).toMatchObject([{ id: "web.1.1", state: "ended", end: { code: 7, signal: null }, identity }]);
  expect(recorder.textOf("web.1.1").stdout).toBe("last words\n");
});

test("an OS signal that nobody was there to see is found by the next daemon", async () => {
  const home = newHome();
  const daemon = new RunDaemonProcess(file, home);
  daemon.start(specOf(home, "web.1.1", { argv: ["sleep", "1000"] }));
  const { identity } = await daemon.report("started", "web.1.1");
  await daemon.kill();
  process.kill(identity.osPid, "SIGKILL");
  await exists(runFile(home, "web.1.1", "exit"));

  const { runs } = openTestRuns(home);

  expect(await runs.recover()).toMatchObject([
    { id: "web.1.1", state: "ended", end: { code: null, signal: "SIGKILL" } },
  ]);
});

test("a service goes on while no daemon lives", async () => {
  const home = newHome();
  const daemon = new RunDaemonProcess(file, home);
  daemon.start(specOf(home, "web.1.1", { argv: ["sleep", "1000"] }));
  const { identity } = await daemon.report("started", "web.1.1");
  await daemon.kill();

  const next = new RunDaemonProcess(file, home);

  const { runs } = await next.report("recovered");
  expect(runs).toMatchObject([{ id: "web.1.1", state: "running", identity }]);
  process.kill(identity.osPid, "SIGTERM");
  expect(await next.report("ended", "web.1.1")).toMatchObject({ end: { code: null, signal: "SIGTERM" } });
});

test("whenever a daemon is killed, no run is executed twice and none is lost", { timeout: 240_000 }, async () => {
  const home = newHome();
  const began = join(home.root, "began");
  const asked: RunId[] = [];
  for (let kill = 0; kill < 50; kill++) {
    const daemon = new RunDaemonProcess(file, home);
    await daemon.report(kill % 3 === 0 ? "alive" : "recovered");
    for (const part of ["exit 7", "sleep 0.02; exit 7", "sleep 0.1; exit 7"]) {
      const id = `web.1.${asked.length}`;
      asked.push(id);
      daemon.start(shellSpec(home, id, `echo ${id} >>${began}; ${part}`));
    }
    const until = performance.now() + Math.random() * 30;
    while (performance.now() < until) await turn();
    await daemon.kill();
  }
  const last = openTestRuns(home);

  const recovered = await last.runs.recover();

  const counts = new Map<RunId, number>();
  const ends = await Promise.all(
    recovered.map(async (run) => ({ id: run.id, end: run.state === "ended" ? run.end : await last.end(run.id) })),
  );
  for (const id of linesOf(began)) counts.set(id, (counts.get(id) ?? 0) + 1);
  expect([...counts.values()].every((count) => count === 1)).toBe(true);
  const known = new Map(ends.map(({ id, end }) => [id, end]));
  for (const id of counts.keys()) expect({ id, code: known.get(id)?.code }).toEqual({ id, code: 7 });
  for (const { id, end } of ends) expect({ id, began: counts.has(id) }).toEqual({ id, began: end.lost === undefined });
  expect(ends.filter(({ end }) => end.lost === undefined).length).toBeGreaterThan(0);
  await Promise.all(recovered.map(({ id }) => last.runs.forget(id)));
  while (leftOf(home).length > 0) await turn();
  expect([...readdirSync(home.runs), ...readdirSync(home.pipes)]).toEqual([]);
});

test("what a run wrote is kept for the next reader until the run is forgotten", async () => {
  const home = newHome();
  const first = openTestRuns(home);
  first.recorder.isReading = false;
  await first.runs.start(shellSpec(home, "web.1.1", "echo last words; exit 7"));
  await exists(runFile(home, "web.1.1", "exit"));
  await first.runs.close();
  const reader = openSync(pipeFile(home, "web.1.1", "out"), constants.O_RDONLY | constants.O_NONBLOCK);
  closeSync(reader); // a reader that is killed before it has read

  const { runs, recorder } = openTestRuns(home);
  const shim = pidIn(runFile(home, "web.1.1", "shim"));
  await runs.recover();
  await runs.forget("web.1.1");

  expect(recorder.textOf("web.1.1").stdout).toBe("last words\n");
  await gone(shim);
});

describe("a shim that comes late", () => {
  const late = async (home: Home, spec: RunSpec): Promise<number | null> => {
    const launcher = new Launcher(home, process.env["PATH"]!);
    onTestFinished(() => launcher.close());
    const { status } = await new Promise<ShimFailure>((resolve, reject) => {
      launcher.start(spec.id, shimCall(home, spec, {}, process.env["PATH"]!), resolve).catch(reject);
    });
    return status;
  };
  const newRun = (): { home: Home; spec: RunSpec; began: string } => {
    const home = newHome();
    openTestRuns(home);
    const began = join(home.root, "began");
    return { home, began, spec: shellSpec(home, "web.1.1", `echo >${began}`) };
  };

  test("starts nothing when a daemon has taken the run", async () => {
    const { home, spec, began } = newRun();
    const { id, service, instance, argv, cwd, stdin, listen, limits, logs } = spec;
    const record = { id, service, instance, argv, cwd, stdin, listen, limits, logs, startedAt: 0, bootId: "" };
    writeRecord(home, record);
    expect(tryClaim(home, id)).toBe(true);

    expect(await late(home, spec)).toBe(shimStatus.claimed);
    expect(existsSync(began)).toBe(false);
  });

  test("starts nothing, and leaves nothing, when the run is forgotten", async () => {
    const { home, spec, began } = newRun();

    expect(await late(home, spec)).toBe(shimStatus.claimed);
    expect(existsSync(began)).toBe(false);
    expect([...readdirSync(home.runs), ...readdirSync(home.pipes)]).toEqual([]);
  });
});

test("a run whose shim never came is one that never began", async () => {
  const home = newHome();
  const { id, service, instance, argv, cwd, stdin, listen, limits, logs } = specOf(home, "web.1.1");
  const { runs } = openTestRuns(home);
  const record = {
    id,
    service,
    instance,
    argv,
    cwd,
    stdin,
    listen,
    limits,
    logs,
    startedAt: 5,
    bootId: bootId()!,
  };
  writeRecord(home, record);

  expect(await runs.recover()).toMatchObject([
    { id, startedAt: 5, state: "ended", isBlameless: true, end: { lost: "the daemon ended before it began" } },
  ]);
});

test("after a restart of the machine what ran is lost, and nobody who has its pid gets a signal", async () => {
  const home = newHome();
  const before = openTestRuns(home);
  const { osPid } = await before.runs.start(specOf(home, "web.1.1", { argv: ["sleep", "1000"] }));
  await before.runs.close();
  const spec = runFile(home, "web.1.1", "spec");
  writeFileSync(spec, readFileSync(spec, "utf8").replace(/"bootId":"[^"]*"/, '"bootId":"another"'));

  const { runs } = openTestRuns(home);
  const recovered = await runs.recover();
  runs.signal("web.1.1", "SIGKILL");
  runs.kill("web.1.1");
  await runs.forget("web.1.1");

  expect(recovered).toMatchObject([{ state: "ended", isBlameless: true, end: { lost: "the machine was restarted" } }]);
  process.kill(osPid, 0); // throws when it is gone
});

test("an OS process that has the pid of a run later is nobody's", async () => {
  const home = newHome();
  const before = openTestRuns(home);
  const { osPid } = await before.runs.start(specOf(home, "web.1.1", { argv: ["sleep", "1000"] }));
  await before.runs.close();
  const shim = pidIn(runFile(home, "web.1.1", "shim"));
  process.kill(shim, "SIGKILL");
  await gone(shim);
  const stranger = specOf(home, "other.1.1", { argv: ["sleep", "1000"] });
  const other = openTestRuns(newHome());
  const { osPid: strangerPid } = await other.runs.start(stranger);
  process.kill(osPid, "SIGKILL");
  await gone(osPid);
  writeFileSync(runFile(home, "web.1.1", "pid"), `${strangerPid} 1\n`);

  const { runs } = openTestRuns(home);
  const recovered = await runs.recover();
  runs.kill("web.1.1");

  expect(recovered).toMatchObject([{ state: "ended", isBlameless: false, end: { code: null, signal: null } }]);
  process.kill(strangerPid, 0); // throws when it is gone
});

test("a service whose shim is killed goes on, and its end is one that nobody saw", async () => {
  const { home, runs, end } = openTestRuns(newHome());
  const { osPid } = await runs.start(specOf(home, "web.1.1", { argv: ["sleep", "1000"] }));
  const shim = pidIn(runFile(home, "web.1.1", "shim"));
  process.kill(shim, "SIGKILL");
  await gone(shim);
  process.kill(osPid, 0); // throws when it is gone

  runs.signal("web.1.1", "SIGTERM");

  expect(await end("web.1.1")).toMatchObject({
    code: null,
    signal: null,
    lost: "its shim was killed, so nobody saw how it ended",
  });
});

test("an exit status that the disk does not take is written when it does", async () => {
  const { home, runs, end } = openTestRuns(newHome());
  const [go, exit] = [join(home.root, "go"), runFile(home, "web.1.1", "exit")];
  const { osPid } = await runs.start(shellSpec(home, "web.1.1", `until [ -e ${go} ]; do sleep 0.01; done; exit 7`));
  mkdirSync(exit); // nothing can be written there now
  writeFileSync(go, "");
  await gone(osPid);

  rmdirSync(exit);

  expect(await end("web.1.1")).toMatchObject({ code: 7 });
});

test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("a shim does not end by %s", async (signal) => {
  const { home, runs, end } = openTestRuns(newHome());
  const go = join(home.root, "go");
  await runs.start(shellSpec(home, "web.1.1", `until [ -e ${go} ]; do sleep 0.01; done; exit 3`));

  process.kill(pidIn(runFile(home, "web.1.1", "shim")), signal);
  writeFileSync(go, "");

  expect(await end("web.1.1")).toMatchObject({ code: 3 });
});

test("a service has no OS signal ignored and none blocked", async () => {
  const { home, runs, end, recorder } = openTestRuns(newHome());
  await runs.start(specOf(home, "web.1.1", { argv: ["grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"] }));
  await end("web.1.1");

  expect(recorder.textOf("web.1.1").stdout).toBe("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
});
