/**
 * The recorder in trouble: full disks, no file descriptors, kills, slow places, and daemons that talk nonsense.
 */
import { spawn } from "node:child_process";
import {
  closeSync,
  openSync,
  writeSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { injectors, openInjectors } from "colos/testing";
import { describe, expect } from "vitest";
import { pieceBytesMax } from "../src/daemon/log/cri-format.ts";
import { chunkBytesMax } from "../src/daemon/log/pipe-reader.ts";
import { messageBytesMax } from "../src/daemon/log/protocol.ts";
import { unreadBytesMax } from "../src/daemon/log/recorder-server.ts";
import { findProgram } from "./debian.ts";
import { childrenOf, osProcessesOf } from "./system/os-processes.ts";
import { test, type Place } from "./system/place.ts";
import {
  endOf,
  holdPipes,
  homeIn,
  killNow,
  OwnRecorder,
  ownRecorder,
  payloadOf,
  payloadSoFar,
  recorderOf,
  runIn,
  until,
  wideLogs,
} from "./system/recorded.ts";

/** Bytes that a killed recorder had in its hands, at most: of each pipe one chunk, and the beginning of a line. */
const handsBytes = chunkBytesMax + pieceBytesMax;
const numbersText = (count: number): string => Array.from({ length: count }, (_, index) => `${index}\n`).join("");

describe("rotation", () => {
  const logs = { ...wideLogs, sizeBytes: 100_000 };

  test("under a flood keeps every line once and in order", async ({ place }) => {
    const home = homeIn(place);
    const recorder = await recorderOf(home);
    const run = runIn(home, "flood.1.1", { logs });
    await recorder.attach(run);
    const shim = holdPipes(run, "seq 0 299999");
    await endOf(shim);
    await recorder.drained(run.id, 20_000);
    expect((await payloadOf(run.directory, "stdout")).toString() === numbersText(300_000)).toBe(true);
    expect(readdirSync(run.directory).length).toBeGreaterThan(100);
    await recorder.stop();
  });

  test("under a flood survives kills at any point of it", { timeout: 60_000 }, async ({ place }) => {
    const home = homeIn(place);
    const recorder = await recorderOf(home);
    const run = runIn(home, "flood.1.1", { logs });
    await recorder.attach(run);
    const count = 1_000_000;
    const shim = holdPipes(run, `seq 0 ${count - 1}`);
    const kills = 5;
    let killed: number | undefined;
    for (let kill = 1; kill <= kills; kill++) {
      const isNew = (): boolean => recorder.osPid !== undefined && recorder.osPid !== killed;
      await until(() => readdirSync(run.directory).length > kill * 30 && isNew());
      killed = recorder.osPid!;
      await killNow(killed);
    }
    await endOf(shim);
    await recorder.drained(run.id, 20_000);
    const payload = (await payloadOf(run.directory, "stdout")).toString();
    const all = numbersText(count);
    expect(all.length - payload.length).toBeLessThanOrEqual(kills * handsBytes);
    const lines = payload.trimEnd().split("\n").map(Number);
    const steps = lines.filter((line, index) => index > 0 && line !== lines[index - 1]! + 1);
    // Each kill may leave the halves of two lines.
    expect(steps.length).toBeLessThanOrEqual(3 * kills);
    expect(lines.at(-1)).toBe(count - 1);
    await recorder.stop();
  });
});

describe("a recorder that is stopped", () => {
  test("in a flood hands over to the next one, and nothing is lost", { timeout: 60_000 }, async ({ place }) => {
    const home = homeIn(place);
    const run = runIn(home, "flood.1.1");
    const shim = holdPipes(run, "seq 0 999999");
    for (let turn = 1; turn <= 5; turn++) {
      const recorder = await recorderOf(home);
      await recorder.attach(run);
      await until(() => statSync(join(run.directory, "current")).size > turn * 1_000_000);
      await recorder.stop();
    }
    const last = await recorderOf(home);
    await last.attach(run);
    await endOf(shim);
    await last.drained(run.id, 20_000);
    expect((await payloadOf(run.directory, "stdout")).toString() === numbersText(1_000_000)).toBe(true);
    await last.stop();
  });
});

/** A recorder of its own whose disk for the logs of `run` can be filled. */
async function recorderOnSmallDisk(place: Place, skip: (why: string) => never) {
  const smallTmpfs = injectors.find(({ name }) => name === "small-tmpfs")!;
  const probe = await smallTmpfs.probe();
  if (!probe.works) skip(`small-tmpfs needs ${smallTmpfs.needs}: ${probe.reason}`);

  const home = homeIn(place);
  const run = runIn(home, "flood.1.1");
  const path = run.directory;
  mkdirSync(path, { recursive: true });
  const arsenal = await openInjectors([smallTmpfs], { folder: path, limitMs: 60_000 });
  const own = new OwnRecorder(home, arsenal.wrap(ownRecorder(home)));
  await own.listening(home);
  const recorder = await recorderOf(home);
  const osPid = recorder.osPid!;
  const troubles: (string | undefined)[] = [];
  recorder.onTrouble((_directory, message) => troubles.push(message));
  return {
    home,
    run,
    recorder,
    troubles,
    /** What it has written, in the mount namespace that it is in. */
    written: async () => (await payloadOf(`/proc/${osPid}/root${path}`, "stdout")).toString(),
    fill: () => arsenal.strike(smallTmpfs, "enospc", { osPid, path }, { forMs: 50_000 }),
    close: async () => {
      await recorder.stop();
      await endOf(own.child);
      await arsenal.close();
    },
  };
}

describe("a full disk", () => {
  test(
    "lets the service wait, and every line is there once there is room again",
    { timeout: 60_000 },
    async ({ place, skip }) => {
      const { run, recorder, troubles, written, fill, close } = await recorderOnSmallDisk(place, skip);
      await recorder.attach(run);
      const strike = await fill();
      const shim = holdPipes(run, "seq 0 29999");
      await until(() => troubles.length > 0);
      expect(troubles).toEqual([
        expect.stringMatching(/^cannot write the log in .*: ENOSPC.*; trying again until it works$/),
      ]);
      await strike.undo();
      await endOf(shim);
      await recorder.drained(run.id, 20_000);
      expect((await written()) === numbersText(30_000)).toBe(true);
      expect(troubles.at(-1)).toBe(undefined);
      await close();
    },
  );
});

describe("a disk that logs have filled", () => {
  test(
    "has room again once they are emptied, and no later line is lost",
    { timeout: 60_000 },
    async ({ place, skip }) => {
      const { home, run: old, recorder, troubles, written, fill, close } = await recorderOnSmallDisk(place, skip);
      const next = runIn(home, "flood.1.2");
      await recorder.attach(old);
      await endOf(holdPipes(old, "seq 0 29999"));
      await recorder.drained(old.id, 20_000);
      const strike = await fill();
      await recorder.attach(next);
      const shim = holdPipes(next, "seq 30000 39999");
      await until(() => troubles.length > 0);

      expect(await recorder.empty("flood", 1)).toBeGreaterThan(1_000_000);
      await endOf(shim);
      await recorder.drained(next.id, 20_000);
      const lines = (await written()).trimEnd().split("\n").map(Number);
      expect(lines.filter((line) => line >= 30_000)).toEqual(
        Array.from({ length: 10_000 }, (_, index) => 30_000 + index),
      );
      expect(lines.length).toBe(10_000);
      expect(troubles.at(-1)).toBe(undefined);
      await strike.undo();
      await close();
    },
  );
});

describe("what a recorder is in trouble with", () => {
  test("is told to whoever connects, ends with the recorder, and is told anew by the next", async ({ place }) => {
    const home = homeIn(place);
    const run = runIn(home, "web.1.1");
    mkdirSync(dirname(run.directory), { recursive: true });
    writeFileSync(run.directory, "in the way");
    const shim = holdPipes(run, "echo hello");
    const first = await recorderOf(home);
    const heard: (string | undefined)[] = [];
    first.onTrouble((_, message) => heard.push(message));
    first.attach(run).catch(() => {});
    await until(() => heard.length > 0);

    const second = await recorderOf(home);
    const heardBySecond: (string | undefined)[] = [];
    second.onTrouble((_, message) => heardBySecond.push(message));
    await until(() => heardBySecond.length > 0);
    expect(heardBySecond).toEqual(heard);
    await second.close();

    const [trouble] = heard;
    await killNow(first.osPid!);
    await until(() => heard.length === 3);
    expect(heard).toEqual([trouble, undefined, trouble]);
    rmSync(run.directory);
    await until(() => heard.length === 4);
    expect(heard[3]).toBe(undefined);
    await endOf(shim);
    await first.drained(run.id, 20_000);
    await first.stop();
  });
});

describe("a recorder that cannot write and cannot start", () => {
  test("ends when it is stopped, although the disk stays full", { timeout: 60_000 }, async ({ place, skip }) => {
    const smallTmpfs = injectors.find(({ name }) => name === "small-tmpfs")!;
    const probe = await smallTmpfs.probe();
    if (!probe.works) skip(`small-tmpfs needs ${smallTmpfs.needs}: ${probe.reason}`);

    const home = homeIn(place);
    const run = runIn(home, "flood.1.1");
    mkdirSync(run.directory, { recursive: true });
    const arsenal = await openInjectors([smallTmpfs], { folder: run.directory, limitMs: 60_000 });
    const own = new OwnRecorder(home, arsenal.wrap(ownRecorder(home)));
    await own.listening(home);
    const recorder = await recorderOf(home);
    const troubled = new Promise<void>((resolve) => void recorder.onTrouble(() => resolve()));
    await recorder.attach(run);
    const target = { osPid: recorder.osPid!, path: run.directory };
    const strike = await arsenal.strike(smallTmpfs, "enospc", target, { forMs: 50_000 });
    const shim = holdPipes(run, "seq 0 99");
    await troubled;
    await recorder.stop();
    expect(await endOf(own.child)).toBe(0);
    await strike.undo();
    // It waits for the next recorder.
    shim.kill("SIGKILL");
    await endOf(shim);
    await arsenal.close();
  });

  test("is told in a sentence when its first file is not there", { timeout: 30_000 }, async ({ place }) => {
    const home = homeIn(place);
    const opened = recorderOf(home, { entry: new URL("file:///absent/recorder-entry.js") });
    await expect(opened).rejects.toThrow("the recorder could not be started: it ended with exit code 1; see ");
    const said = readFileSync(join(home.log, "recorder"), "utf8");
    // It is started again and again, less and less often.
    expect(said.match(/Cannot find module/g)!.length).toBeGreaterThan(1);
    expect(said.match(/Cannot find module/g)!.length).toBeLessThanOrEqual(7);
    await until(() => osProcessesOf(place).length === 0);
  });
});

describe("too few file descriptors", () => {
  test("let runs wait until others have ended", { timeout: 60_000 }, async ({ place }) => {
    const home = homeIn(place);
    const { file, args } = ownRecorder(home);
    const limited = ["-c", 'ulimit -n 40 && exec "$@"', "sh", file, ...args];
    const own = new OwnRecorder(home, { file: "sh", args: limited });
    await own.listening(home);
    const recorder = await recorderOf(home);
    const troubles: (string | undefined)[] = [];
    recorder.onTrouble((_directory, message) => troubles.push(message));
    const go = join(place.folder, "go");
    const runs = Array.from({ length: 15 }, (_, index) => runIn(home, `web.${index + 1}.1`));
    const shims = runs.map((run) =>
      holdPipes(run, `echo early; while [ ! -e '${go}' ]; do sleep 0.1; done; echo late`),
    );
    const attached = runs.map((run) => recorder.attach(run));
    await until(() => troubles.some((message) => message?.includes("EMFILE")));
    writeFileSync(go, "");
    await Promise.all(attached);
    await Promise.all(shims.map(endOf));
    for (const run of runs) {
      await recorder.drained(run.id, 20_000);
      expect((await payloadOf(run.directory, "stdout")).toString()).toBe("early\nlate\n");
    }
    await recorder.stop();
    await endOf(own.child);
  });
});

describe("forwarding to stdout", () => {
  const logs = { ...wideLogs, forward: "stdout" as const };

  test("writes each line after the instance's name", async ({ place }) => {
    const home = homeIn(place);
    const own = new OwnRecorder(home);
    await own.listening(home);
    const recorder = await recorderOf(home);
    let forwarded = "";
    own.child.stdout!.setEncoding("utf8").on("data", (text: string) => (forwarded += text));
    const run = runIn(home, "web.2.1", { logs });
    await recorder.attach(run);
    const shim = holdPipes(run, "echo one; echo two >&2; printf 'no end'");
    await endOf(shim);
    await recorder.drained(run.id, 20_000);
    await until(() => forwarded.split("\n").length === 4);
    expect(forwarded.trimEnd().split("\n").toSorted()).toEqual(["web.2 | no end", "web.2 | one", "web.2 | two"]);
    await recorder.stop();
    await endOf(own.child);
  });

  test("goes on behind what another OS process writes to the same file", async ({ place }) => {
    const home = homeIn(place);
    const path = join(place.folder, "stdout");
    const file = openSync(path, "w");
    const own = new OwnRecorder(home, undefined, file);
    await own.listening(home);
    const recorder = await recorderOf(home);
    const run = runIn(home, "web.1.1", { logs });
    await recorder.attach(run);
    writeSync(file, "first\n");
    const go = join(place.folder, "go");
    const shim = holdPipes(run, `echo second; while [ ! -e '${go}' ]; do sleep 0.1; done`);
    await until(() => readFileSync(path, "utf8").includes("second"));
    writeSync(file, "third\n");
    closeSync(file);
    writeFileSync(go, "");
    await endOf(shim);
    await recorder.drained(run.id, 20_000);
    expect(readFileSync(path, "utf8")).toBe("first\nweb | second\nthird\n");
    await recorder.stop();
    await endOf(own.child);
  });

  test("a place that is not there keeps nothing from the file", async ({ place }) => {
    const home = homeIn(place);
    const own = new OwnRecorder(home);
    await own.listening(home);
    const recorder = await recorderOf(home);
    const run = runIn(home, "web.1.1", { logs: { ...wideLogs, forward: "journald" } });
    await recorder.attach(run);
    await endOf(holdPipes(run, "echo here"));
    await recorder.drained(run.id, 20_000);
    expect((await payloadOf(run.directory, "stdout")).toString()).toBe("here\n");
    await recorder.stop();
    await endOf(own.child);
  });

  test("loses lines when nobody reads it, says how many, and the file has them all", async ({ place }) => {
    const home = homeIn(place);
    const own = new OwnRecorder(home);
    await own.listening(home);
    const recorder = await recorderOf(home);
    const run = runIn(home, "web.1.1", { logs });
    await recorder.attach(run);
    const go = join(place.folder, "go");
    const shim = holdPipes(run, `seq 0 499999; while [ ! -e '${go}' ]; do sleep 0.1; done; echo end`);
    await until(async () => (await payloadSoFar(run.directory, "stdout")).length === numbersText(500_000).length);
    let forwarded = "";
    own.child.stdout!.setEncoding("utf8").on("data", (text: string) => (forwarded += text));
    await until(() => forwarded.length > 1_000_000);
    writeFileSync(go, "");
    await endOf(shim);
    await recorder.drained(run.id, 20_000);
    await until(() => forwarded.endsWith("web | end\n"));
    const lost = Number(/^colos \| web: (\d+) lines were not forwarded/m.exec(forwarded)?.[1]);
    expect(forwarded.match(/^web \| \d+$/gm)!.length + lost).toBe(500_000);
    await recorder.stop();
    await endOf(own.child);
  });
});

describe("sd_notify", () => {
  const systemdNotify = findProgram("systemd-notify");

  test("hears systemd-notify, and lets it go on", async ({ place, skip }) => {
    if (systemdNotify === undefined) skip("needs systemd-notify, Debian package systemd");
    const home = homeIn(place);
    const recorder = await recorderOf(home);
    const run = runIn(home, "web.1.1", { notify: join(home.pipes, "web.1.1.notify") });
    const notes: string[] = [];
    recorder.onNote((_id, note) => notes.push(note));
    await recorder.attach(run);
    const env = { ...process.env, NOTIFY_SOCKET: run.notify };
    const args = ["--ready", "--status=warm and ready", "--pid=4711"];
    expect(await endOf(spawn(systemdNotify!, args, { env, stdio: "inherit" }))).toBe(0);
    await until(() => notes.includes("BARRIER=1"));
    expect(notes).toEqual(["READY=1", "STATUS=warm and ready", "MAINPID=4711", "BARRIER=1"]);
    await recorder.stop();
  });

  test("goes on after its perl was killed", async ({ place }) => {
    const home = homeIn(place);
    const recorder = await recorderOf(home);
    const run = runIn(home, "web.1.1", { notify: join(home.pipes, "web.1.1.notify") });
    const notes: string[] = [];
    recorder.onNote((_id, note) => notes.push(note));
    await recorder.attach(run);
    await killNow(childrenOf(recorder.osPid!).find(({ command }) => command.startsWith("perl"))!.pid);
    const sender = `use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0); exit(send($s, "STATUS=again", 0, sockaddr_un($ARGV[0])) ? 0 : 1)`;
    await until(async () => (await endOf(spawn("perl", ["-e", sender, run.notify!]))) === 0);
    await until(() => notes.length > 0);
    expect(notes).toEqual(["STATUS=again"]);
    await recorder.stop();
  });
});

test("a daemon that does not read loses notes beyond a limit", { timeout: 60_000 }, async ({ place }) => {
  const home = homeIn(place);
  const recorder = await recorderOf(home);
  const run = runIn(home, "web.1.1", { notify: join(home.pipes, "web.1.1.notify") });
  const count = 3_000;
  await recorder.attach(run);
  const deaf = connect(home.recorderSocket);
  await new Promise<void>((resolve) => void deaf.once("connect", resolve));
  const sender = `use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0);
    send($s, $ARGV[1] x $ARGV[2], 0, sockaddr_un($ARGV[0])) or die $! for 1 .. $ARGV[3]`;
  const notify = async (text: string, times: number, count: number): Promise<void> => {
    const args = ["-e", sender, run.notify!, text, String(times), String(count)];
    expect(await endOf(spawn("perl", args, { stdio: "inherit" }))).toBe(0);
  };
  await notify("x", 3_000, count);
  let heard = "";
  deaf.setEncoding("utf8").on("data", (text: string) => (heard += text));
  await until(async () => {
    await notify("last", 1, 1);
    return heard.includes("last");
  });
  const heardCount = heard.match(/"note":"x/g)!.length;
  expect(heardCount * 3_000).toBeGreaterThan(unreadBytesMax);
  expect(heardCount).toBeLessThan(count);
  deaf.destroy();
  await recorder.stop();
});

describe("a daemon that talks nonsense", () => {
  test("is left alone, and others are served", async ({ place }) => {
    const home = homeIn(place);
    const recorder = await recorderOf(home);
    for (const nonsense of ["no JSON\n", "x".repeat(messageBytesMax + 1)]) {
      const socket = connect(home.recorderSocket);
      const closed = new Promise<void>((resolve) => void socket.once("close", () => resolve()));
      socket.on("error", () => {}).resume();
      socket.write(nonsense);
      await closed;
    }
    const run = runIn(home, "web.1.1");
    await recorder.attach(run);
    const shim = holdPipes(run, "echo fine");
    await endOf(shim);
    await recorder.drained(run.id, 20_000);
    expect(readFileSync(join(run.directory, "current"), "utf8")).toMatch(/ stdout F fine\n$/);
    await recorder.stop();
  });
});

describe("a recorder that cannot be started", () => {
  test("ends nobody, is told, and is started when it can be", async ({ place }) => {
    const home = homeIn(place);
    rmSync(home.log, { recursive: true });
    writeFileSync(home.log, "in the way");
    const recorder = await recorderOf(home, { startsLate: true });
    const troubles: (string | undefined)[] = [];
    recorder.onTrouble((_directory, message) => troubles.push(message));
    const run = runIn(home, "late.1.1");
    const shim = holdPipes(run, "echo hello");
    const attached = recorder.attach(run);
    await until(() => troubles.length > 0);
    expect(troubles[0]).toMatch(/^the recorder could not be started, so what services write waits: /);

    rmSync(home.log);
    await attached;
    await endOf(shim);
    await recorder.drained(run.id, 20_000);
    expect((await payloadOf(run.directory, "stdout")).toString()).toBe("hello\n");
    expect(troubles.at(-1)).toBe(undefined);
    await recorder.stop();
  });
});
