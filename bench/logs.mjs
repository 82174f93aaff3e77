/**
 * Logs: how fast the recorder takes what services write, how much memory that takes, and how fast logs are read.
 *
 *   npm run bench:logs [-- megabytes of the flood]
 *
 * The flood is what `yes` and `head` write through a FIFO, lines of 100 bytes; the files are rotated at 10 MiB and kept up to
 * 100 MiB, the defaults. `cat` into a file, with the same pipe and the same writer, is what can be had at most.
 *
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { oneFile } from "../test/one-file.mjs";

const { file: parts } = await oneFile(new URL("logs-parts.ts", import.meta.url), "logs");
const { homeAt, logFolder, nodePlatform, openRecorder, readLogs } = await import(pathToFileURL(parts).href);

const megabytes = Number(process.argv[2] ?? 1_000);
const instancesCount = 50;
const logs = { sizeBytes: 10 * 2 ** 20, ageMs: 7 * 24 * 3_600_000, budgetBytes: 100 * 2 ** 20 };
const { clock, log } = nodePlatform();
const folder = mkdtempSync(join(tmpdir(), "colos-bench-"));
const home = homeAt(join(folder, "home"));
for (const path of [home.runs, home.pipes, home.services, home.log]) mkdirSync(path, { recursive: true });
const entry = new URL("../dist/recorder-entry.cjs", import.meta.url);

const say = (text) => process.stdout.write(`${text}\n`);
const ended = (child) => new Promise((resolve) => child.once("exit", resolve));
const memory = (osPid) => {
  const status = readFileSync(`/proc/${osPid}/status`, "utf8");
  return ["VmRSS", "RssAnon"].map((name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)[1]) / 1024);
};
const shown = ([all, own]) => `${all.toFixed(0)} MB resident (${own.toFixed(0)} MB its own)`;

function runOf(service, instance) {
  const id = `${service}.${instance}.1`;
  const [stdout, stderr] = ["out", "err"].map((name) => join(home.pipes, `${id}.${name}`));
  execFileSync("mkfifo", [stdout, stderr]);
  return { id, service, instance, stdout, stderr, directory: logFolder(home, service, instance), logs };
}

/** Runs a shell command into the pipes, with the megabytes and the text of a line as its arguments. */
function write({ stdout, stderr }, megabytes) {
  const script = `exec >"$1" 2>"$2"; yes "$3" | head -c "$4"`;
  return spawn("sh", ["-c", script, "sh", stdout, stderr, "x".repeat(99), String(megabytes * 1e6)], {
    stdio: "inherit",
  });
}

async function floodOfCat() {
  const run = runOf("cat", 1);
  const startMs = performance.now();
  const cats = [
    spawn("sh", ["-c", 'cat "$1" >"$2"', "sh", run.stdout, join(folder, "cat")]),
    spawn("sh", ["-c", 'cat "$1" >/dev/null', "sh", run.stderr]),
  ];
  write(run, megabytes);
  await Promise.all(cats.map(ended));
  rmSync(join(folder, "cat"));
  return megabytes / ((performance.now() - startMs) / 1000);
}

async function flood(recorder, service) {
  const run = runOf(service, 1);
  await recorder.attach(run);
  const startMs = performance.now();
  write(run, megabytes);
  await recorder.drained(run.id, 600_000);
  return megabytes / ((performance.now() - startMs) / 1000);
}

const recorder = await openRecorder({ home, clock, log, entry, idleMs: 1_000 });
try {
  const { osPid } = recorder;
  say(`recorder, nothing to read: ${shown(memory(osPid))}`);

  const runs = Array.from({ length: instancesCount }, (_, index) => runOf("idle", index + 1));
  const holders = runs.map((run) => spawn("sh", ["-c", 'exec 3<>"$1" 4<>"$2"; read _', "sh", run.stdout, run.stderr]));
  for (const run of runs) await recorder.attach(run);
  say(`recorder, ${instancesCount} instances of 2 pipes: ${shown(memory(osPid))}`);

  await flood(recorder, "warm");
  const before = memory(osPid);
  const perSecond = await flood(recorder, "flood");
  say(
    `flood of ${megabytes} MB: ${perSecond.toFixed(0)} MB/s; cat into a file: ${(await floodOfCat()).toFixed(0)} MB/s`,
  );
  say(`recorder, before and after that flood: ${shown(before)}, ${shown(memory(osPid))}`);

  for (const [what, query] of [
    ["the last 10 lines", { linesMax: 10 }],
    ["all lines", {}],
    ["lines with a text", { grep: "y" }],
  ]) {
    const startMs = performance.now();
    let linesCount = 0;
    for await (const _ of readLogs(home, [{ service: "flood" }], query, { clock })) linesCount += 1;
    say(`reading ${what} of up to 100 MiB: ${(performance.now() - startMs).toFixed(1)} ms, ${linesCount} lines`);
  }
  for (const holder of holders) holder.stdin.end();
  await Promise.all(holders.map(ended));
} finally {
  await recorder.stop();
  rmSync(folder, { recursive: true, force: true });
}
