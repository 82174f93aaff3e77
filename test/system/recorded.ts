/**
 * Recorded: a home with a recorder, and runs whose pipes are held as a shim holds them.
 *
 * @module
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { LogsPlan } from "../../src/control/config.ts";
import { homeAt, logFolder, type Home } from "../../src/daemon/home.ts";
import { currentName, rotatedFiles } from "../../src/daemon/log/log-folder.ts";
import { openRecorder, type RecorderOptions } from "../../src/daemon/log/recorder-client.ts";
import type { RecordedRun, Recorder } from "../../src/daemon/log/recorder.ts";
import { nodePlatform } from "../../src/platforms/node/node-platform.ts";
import { colosFile } from "./colos-process.ts";
import type { Place } from "./place.ts";
import { turn } from "./turn.ts";

export const platform = nodePlatform({ logLevel: "error" });

/** Far from every limit. */
export const wideLogs: LogsPlan = { sizeBytes: 2 ** 40, ageMs: 2 ** 40, budgetBytes: 2 ** 42 };

/** A home in the place. */
export function homeIn(place: Place): Home {
  const home = homeAt(join(place.folder, "home"));
  for (const folder of [home.runs, home.pipes, home.services, home.log]) mkdirSync(folder, { recursive: true });
  return home;
}

/** The recorder of the home, as a daemon opens it. It does not outlive its last run by much. */
export function recorderOf(home: Home, options: Partial<RecorderOptions> = {}): Promise<Recorder> {
  return openRecorder({
    home,
    clock: platform.clock,
    log: platform.log,
    entry: new URL("recorder-entry.cjs", pathToFileURL(colosFile)),
    idleMs: 500,
    ...options,
  });
}

/** A recorder that the test starts by itself, with a command in front, as a container or an injector has it. */
export class OwnRecorder {
  readonly child: ChildProcess;

  constructor(
    home: Home,
    { file, args, env }: { file: string; args: readonly string[]; env?: object } = ownRecorder(home),
    stdout: "pipe" | number = "pipe",
  ) {
    this.child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ["ignore", stdout, "inherit"] });
  }

  /** Until a daemon can connect. */
  async listening(home: Home): Promise<void> {
    // Not the file alone, which is there before anybody listens.
    await until(() => existsSync(home.recorderSocket) && listens(home.recorderSocket));
  }
}

/** As unix(7) sockets stand in /proc: the flag 00010000 is that of one that listens. */
function listens(path: string): boolean {
  if (!existsSync("/proc/net/unix")) return true;
  return readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .some((line) => line.endsWith(` ${path}`) && line.split(" ")[3] === "00010000");
}

/** How the recorder of a home is started. */
export function ownRecorder(home: Home): { readonly file: string; readonly args: string[] } {
  return { file: process.execPath, args: [join(dirname(colosFile), "recorder-entry.cjs"), home.root, "500"] };
}

/** A run with FIFOs. */
export function runIn(home: Home, id: string, extra: Partial<RecordedRun> = {}): RecordedRun {
  const [service = "", instance = "1"] = id.split(".");
  const run: RecordedRun = {
    id,
    service,
    instance: Number(instance),
    stdout: join(home.pipes, `${id}.out`),
    stderr: join(home.pipes, `${id}.err`),
    directory: logFolder(home, service, Number(instance)),
    logs: wideLogs,
    ...extra,
  };
  execFileSync("mkfifo", [run.stdout, run.stderr, ...(run.ready === undefined ? [] : [run.ready])]);
  return run;
}

/**
 * Runs a shell command with the run's pipes. Like a shim it holds them for reading too while the command runs, so that nothing is
 * lost without a recorder, and at the end waits for one.
 */
export function holdPipes(run: RecordedRun, command: string): ChildProcess {
  const script = `exec 8<>"$1" 9<>"$2" 6>"$1" 7>"$2"; sh -c "$3" >&6 2>&7 6>&- 7>&- 8>&- 9>&-; exec 8>&- 9>&-; : >"$1"; : >"$2"`;
  return spawn("sh", ["-c", script, "sh", run.stdout, run.stderr, command], {
    stdio: ["ignore", "inherit", "inherit"],
  });
}

/** Settles with the exit code. */
export function endOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => void child.once("exit", (code) => resolve(code)));
}

/** The log files of a folder, oldest first. */
export async function filesOf(directory: string): Promise<string[]> {
  return [...(await rotatedFiles(directory)), currentName].map((name) => join(directory, name));
}

/** What was written to a stream, put together again. Throws when a line is not of the format. */
export async function payloadOf(directory: string, stream: "stdout" | "stderr"): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (const file of await filesOf(directory)) {
    const bytes = readFileSync(file);
    for (let start = 0; start < bytes.length;) {
      const end = bytes.indexOf(10, start);
      if (end < 0) throw new Error(`${file} ends in the middle of a line`);
      const head = bytes.toString("latin1", start, start + 37);
      const match = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (stdout|stderr) ([FP]) $/.exec(head);
      if (match === null) throw new Error(`${file}: no line of the format: ${head}`);
      // The line end too, when the line has ended.
      if (match[1] === stream) parts.push(bytes.subarray(start + 37, match[2] === "F" ? end + 1 : end));
      start = end + 1;
    }
  }
  return Buffer.concat(parts);
}

/** The same while it is being written: nothing yet where a line is only half there. */
export function payloadSoFar(directory: string, stream: "stdout" | "stderr"): Promise<Buffer> {
  return payloadOf(directory, stream).catch(() => Buffer.alloc(0));
}

/** SIGKILL, and until its parent knows. A zombie will not do: other threads of it may hold its files for a moment. */
export async function killNow(osPid: number): Promise<void> {
  process.kill(osPid, "SIGKILL");
  await until(() => !existsSync(`/proc/${osPid}`));
}

/** Returns when `isSo` says so. What never becomes so fails the test by its time limit. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await turn();
}
