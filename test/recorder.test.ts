/**
 * The recorder as an OS process of its own: real FIFOs, real writers, real kills.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, vi } from "vitest";
import { pieceBytesMax } from "../src/daemon/log/cri-format.ts";
import { chunkBytesMax } from "../src/daemon/log/pipe-reader.ts";
import type { RecordedRun } from "../src/daemon/log/recorder.ts";
import { isRunning, osProcessesOf } from "./system/os-processes.ts";
import { test } from "./system/place.ts";
import {
  endOf,
  holdPipes,
  homeIn,
  killNow,
  payloadOf,
  payloadSoFar,
  recorderOf,
  runIn,
  until,
} from "./system/recorded.ts";

/** Writes `bytes` of lines of many lengths, and says the sum of them on its stderr. */
const flood = `
  const { createHash } = require("node:crypto"), { writeSync } = require("node:fs");
  const hash = createHash("sha256");
  const lines = Array.from({ length: 4000 }, (_, index) => Buffer.from("x".repeat((index * 37) % 300) + index + "\\n"));
  const block = Buffer.concat([...lines, Buffer.from([0, 255, 254, 10, 10]), Buffer.from("y".repeat(40_000) + "\\n")]);
  for (let left = Number(process.argv[1]); left > 0; left -= block.length) {
    hash.update(block);
    for (let at = 0; at < block.length; ) at += writeSync(1, block, at);
  }
  writeSync(2, hash.digest("hex"));
`;

/** Writes numbered lines as fast as it can, from 0. */
const numbers = (count: number): string => `seq 0 ${count - 1}`;

describe("recorder", () => {
  test("writes each line of stdout and stderr in the CRI format", async ({ place }) => {
    const home = homeIn(place);
    const recorder = await recorderOf(home);
    const run = runIn(home, "web.1.1");
    await recorder.attach(run);
    const shim = holdPipes(run, "echo one; echo two >&2; printf 'no end'");
    await recorder.drained(run.id, 20_000);
    await endOf(shim);
    const lines = readFileSync(join(run.directory, "current"), "utf8").trimEnd().split("\n");
    expect(lines.map((line) => line.slice(28)).toSorted()).toEqual(["stderr F two", "stdout F no end", "stdout F one"]);
    await recorder.stop();
  });

  test("says that a run is ready by a line of its own, and by none of the run that it replaces", async ({ place }) => {
    const home = homeIn(place);
    const recorder = await recorderOf(home);
    const [older, newer] = ["web.1.1", "web.1.2"].map((id) => runIn(home, id, { readyLine: "/^up$/" }));
    const go = join(place.folder, "go");
    await recorder.attach(newer!);
    const shims = [holdPipes(newer!, `until [ -e '${go}' ]; do sleep 0.01; done; echo up >&2`)];
    await recorder.attach(older!);
    shims.push(holdPipes(older!, "echo not up; echo up; echo up >&2"));
    const isReady = (run: RecordedRun): boolean => existsSync(join(home.runs, `${run.id}.ready`));
    await until(() => isReady(older!));
    await recorder.drained(older!.id, 20_000);
    expect(isReady(newer!)).toBe(false);

    writeFileSync(go, "");
    await until(() => isReady(newer!));
    await recorder.drained(newer!.id, 20_000);
    expect((await payloadOf(newer!.directory, "stderr")).toString()).toBe("up\nup\n");
    for (const shim of shims) await endOf(shim);
    await recorder.stop();
  });

  test("gives up an expression that takes for ever, and records on", async ({ place }) => {
    const home = homeIn(place);
    const recorder = await recorderOf(home);
    const run = runIn(home, "web.1.1", { readyLine: "/^(a+)+$/" });
    await recorder.attach(run);
    const text = `${"a".repeat(60)}b\n`;
    const shim = holdPipes(run, `printf '${text.trimEnd()}\\n'; echo aaa`);
    await endOf(shim);
    await recorder.drained(run.id, 20_000);
    expect((await payloadOf(run.directory, "stdout")).toString()).toBe(`${text}aaa\n`);
    expect(existsSync(join(home.runs, `${run.id}.ready`))).toBe(false);
    await recorder.stop();
  });

  test("with startsLate it is started for the first run, and what that wrote before is not lost", async ({ place }) => {
    const home = homeIn(place);
    const recorder = await recorderOf(home, { startsLate: true });
    expect([recorder.osPid, existsSync(home.recorderSocket)]).toEqual([undefined, false]);
    const run = runIn(home, "web.1.1");
    const shim = holdPipes(run, "echo one");

    await recorder.attach(run);

    await recorder.drained(run.id, 20_000);
    await endOf(shim);
    expect((await payloadOf(run.directory, "stdout")).toString()).toBe("one\n");
    await recorder.stop();
  });

  test("with startsLate one that lives is used, and replaced when it was killed", async ({ place }) => {
    const home = homeIn(place);
    const earlier = await recorderOf(home);
    const osPid = earlier.osPid!;
    const run = runIn(home, "web.1.1");
    const go = join(place.folder, "go");
    const shim = holdPipes(run, `while [ ! -e '${go}' ]; do :; done; echo one`);
    await earlier.attach(run);
    await earlier.close();

    const recorder = await recorderOf(home, { startsLate: true });
    expect(recorder.osPid).toBe(osPid);
    await recorder.attach(run);
    await killNow(osPid);
    writeFileSync(go, "");

    await recorder.drained(run.id, 20_000);
    await endOf(shim);
    expect((await payloadOf(run.directory, "stdout")).toString()).toBe("one\n");
    await recorder.stop();
  });

  test("what people have Node load for their programs is not loaded", async ({ place }) => {
    const home = homeIn(place);
    vi.stubEnv("NODE_OPTIONS", "--no-warnings");
    vi.stubEnv("NODE_EXTRA_CA_CERTS", "/nonexistent");
    onTestFinished(() => void vi.unstubAllEnvs());
    const recorder = await recorderOf(home);
    const env = readFileSync(`/proc/${recorder.osPid}/environ`, "latin1").split("\0");

    expect(env.filter((each) => /^NODE_(OPTIONS|EXTRA_CA_CERTS)=/.test(each))).toEqual([]);
    await recorder.stop();
  });

  test("keeps every byte of a flood", { timeout: 120_000 }, async ({ place }) => {
    const home = homeIn(place);
    const recorder = await recorderOf(home);
    const run = runIn(home, "flood.1.1");
    writeFileSync(join(place.folder, "flood.cjs"), flood.replace("process.argv[1]", "process.argv[2]"));
    const shim = holdPipes(run, `exec '${process.execPath}' '${join(place.folder, "flood.cjs")}' 200000000`);
    await recorder.attach(run);
    await endOf(shim);
    await recorder.drained(run.id, 20_000);
    const written = await payloadOf(run.directory, "stdout");
    expect(written.length).toBeGreaterThan(200_000_000);
    const told = (await payloadOf(run.directory, "stderr")).toString().trim();
    expect(createHash("sha256").update(written).digest("hex")).toBe(told);
    await recorder.stop();
  });

  test("goes on after it was killed in a quiet moment, and loses nothing", async ({ place }) => {
    const home = homeIn(place);
    const recorder = await recorderOf(home);
    const run = runIn(home, "quiet.1.1");
    const go = join(place.folder, "go");
    const shim = holdPipes(
      run,
      `echo before; printf half; while [ ! -e '${go}' ]; do :; done; echo ' and half'; echo after`,
    );
    await recorder.attach(run);
    await until(async () => (await payloadSoFar(run.directory, "stdout")).toString() === "before\nhalf");
    await killNow(recorder.osPid!);
    writeFileSync(go, "");
    await recorder.drained(run.id, 20_000);
    await endOf(shim);
    expect((await payloadOf(run.directory, "stdout")).toString()).toBe("before\nhalf and half\nafter\n");
    await recorder.stop();
  });

  test("loses at most what it had in its hands when it is killed in a flood", async ({ place }) => {
    const home = homeIn(place);
    const recorder = await recorderOf(home);
    const run = runIn(home, "flood.1.1");
    const count = 3_000_000;
    const shim = holdPipes(run, numbers(count));
    await recorder.attach(run);
    await until(() => readFileSync(join(run.directory, "current")).length > 5_000_000);
    await killNow(recorder.osPid!);
    await recorder.drained(run.id, 60_000);
    await endOf(shim);
    const lines = (await payloadOf(run.directory, "stdout")).toString().trimEnd().split("\n");
    const isGap = (line: string, index: number): boolean => index > 0 && Number(line) !== Number(lines[index - 1]) + 1;
    expect(lines[0]).toBe("0");
    expect(lines.at(-1)).toBe(String(count - 1));
    // The halves of the lines at both edges of what is lost may be lines in between.
    expect(lines.filter(isGap).length).toBeLessThanOrEqual(3);
    const bytes = lines.join("\n").length;
    const all = Array.from({ length: count }, (_, index) => String(index)).join("\n").length;
    expect(all - bytes).toBeLessThanOrEqual(chunkBytesMax + pieceBytesMax);
    await recorder.stop();
  });

  test("is the only one when two daemons open it at once", async ({ place }) => {
    const home = homeIn(place);
    const recorders = await Promise.all([recorderOf(home), recorderOf(home), recorderOf(home)]);
    expect(new Set(recorders.map(({ osPid }) => osPid)).size).toBe(1);
    await Promise.all(recorders.map((recorder) => recorder.stop()));
    // Who came too late for the lock may find it free now; it ends when nobody asks anything of it.
    await until(() => osProcessesOf(place).length === 0);
  });

  test("outlives the daemon, and ends when there is nothing more to read", async ({ place }) => {
    const home = homeIn(place);
    const first = await recorderOf(home);
    const { osPid } = first;
    const run = runIn(home, "web.1.1");
    const go = join(place.folder, "go");
    const shim = holdPipes(run, `while [ ! -e '${go}' ]; do :; done; echo late`);
    await first.attach(run);
    await first.close();
    writeFileSync(go, "");
    await endOf(shim);
    await until(() => !isRunning(osPid!));
    expect((await payloadOf(run.directory, "stdout")).toString()).toBe("late\n");
  });

  test("hears the first line of a ready pipe", async ({ place }) => {
    const home = homeIn(place);
    const recorder = await recorderOf(home);
    const run = runIn(home, "web.1.1", { ready: join(home.pipes, "web.1.1.ready") });
    const notes: string[] = [];
    recorder.onNote((id, note) => notes.push(`${id} ${note}`));
    await recorder.attach(run);
    const shim = holdPipes(run, `exec 3>'${run.ready}'; echo yes >&3; echo more >&3`);
    await until(() => notes.length > 0);
    expect(notes).toEqual(["web.1.1 READY=1"]);
    expect(existsSync(join(home.runs, "web.1.1.ready"))).toBe(true);
    await recorder.drained(run.id, 20_000);
    await endOf(shim);
    await recorder.stop();
  });

  test("hears sd_notify", async ({ place }) => {
    const home = homeIn(place);
    const recorder = await recorderOf(home);
    const run = runIn(home, "web.1.1", { notify: join(home.pipes, "web.1.1.notify") });
    const notes: string[] = [];
    recorder.onNote((_id, note) => notes.push(note));
    await recorder.attach(run);
    const sender = `use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0); send($s, "READY=1\\nSTATUS=warm", 0, sockaddr_un($ENV{NOTIFY_SOCKET})) or die $!`;
    const env = { ...process.env, NOTIFY_SOCKET: run.notify };
    await endOf(spawn("perl", ["-e", sender], { env, stdio: "inherit" }));
    await until(() => notes.length === 2);
    expect(notes).toEqual(["READY=1", "STATUS=warm"]);
    expect(existsSync(join(home.runs, "web.1.1.ready"))).toBe(true);
    await recorder.stop();
  });

  test("refuses to attach a run whose pipe does not come", { timeout: 20_000 }, async ({ place }) => {
    const home = homeIn(place);
    const recorder = await recorderOf(home);
    const run = { ...runIn(home, "web.1.1"), stdout: join(home.pipes, "absent") };
    await expect(recorder.attach(run)).rejects.toThrow(`there is no FIFO ${run.stdout}`);
    await recorder.stop();
  });
});
