/**
 * System: one home with a real daemon of the built colos, in a folder of its own, perhaps as another user.
 *
 * Guarantees: after `close` nothing runs that belongs to it, and the folder is gone.
 *
 * @module
 */
import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  appendFileSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findHeart } from "../../src/daemon/boot/heart.ts";
import { homeProcesses } from "../../src/daemon/home-processes.ts";
import { homeAt, logFolder, type Home } from "../../src/daemon/home.ts";
import { nodeClock } from "../../src/platforms/node/node-clock.ts";
import { childrenOf, markVariable, osProcessesOf, type Belonging } from "../system/os-processes.ts";

/** How long one `colos` may take before it is killed, in milliseconds. */
export const commandMs = 30_000;
/** How often it is looked at how long the machine has held a command back, in milliseconds. */
const heldLookMs = 10;
/** How long everything may take to be gone after `down`, in milliseconds. */
const goneMs = 15_000;

export interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From the start of the OS process to its end, in milliseconds. */
  readonly tookMs: number;
  /** Of these, how long the machine had no core for it, or for the daemon that it asked; the longer of the two. */
  readonly heldMs: number;
}

export interface SystemOptions {
  /** Where the built package is. */
  readonly dist: URL;
  /** Who it runs as; default: whoever runs this. */
  readonly userId?: number;
}

export class System implements Belonging {
  readonly mark: string = randomUUID();
  /** Absolute, without symbolic links. */
  readonly folder: string = realpathSync(mkdtempSync(join(tmpdir(), "colos-exhaustion-")));
  readonly home: Home = homeAt(join(this.folder, "home"));
  /** What services tell, outside of the home: one line each. */
  readonly facts: string = join(this.folder, "facts");
  readonly #bin: string;
  readonly userId: number | undefined;

  constructor({ dist, userId }: SystemOptions) {
    this.#bin = fileURLToPath(new URL("bin.cjs", dist));
    this.userId = userId;
    mkdirSync(this.home.root, { mode: 0o700 });
    this.write("facts", "");
    if (userId === undefined) return;
    for (const path of [this.folder, this.home.root, this.facts]) chownSync(path, userId, userId);
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }

  get env(): Record<string, string> {
    const { PATH = "" } = process.env;
    return { PATH, HOME: this.folder, NO_COLOR: "1", COLOS_HOME: this.home.root, [markVariable]: this.mark };
  }

  /** The words of a command line that runs `colos` as the user of this system. */
  words(...words: readonly string[]): [string, ...string[]] {
    return [...asUser(this.userId), process.execPath, this.#bin, ...words] as [string, ...string[]];
  }

  /** Runs `colos` with these words to its end. */
  colos(...words: readonly string[]): Promise<Said> {
    return this.run(this.words(...words));
  }

  run(command: readonly [string, ...string[]]): Promise<Said> {
    const [file, ...args] = command;
    const { daemonPid } = this;
    const heldBeforeMs = heldMsOf(daemonPid);
    const beganMs = performance.now();
    const child = spawn(file, args, { cwd: this.folder, env: this.env, stdio: ["ignore", "pipe", "pipe"] });
    let childHeldMs = 0;
    const looks = setInterval(() => (childHeldMs = Math.max(childHeldMs, heldMsOf(child.pid))), heldLookMs);
    const said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const)
      child[name].setEncoding("utf8").on("data", (text: string) => void (said[name] += text));
    const late = setTimeout(() => child.kill("SIGKILL"), commandMs);
    return new Promise((resolve) => {
      child.once("close", (code) => {
        clearTimeout(late);
        clearInterval(looks);
        const tookMs = performance.now() - beganMs;
        // The longer of the two: they may have waited at the same time.
        const heldMs = Math.max(childHeldMs, heldMsOf(daemonPid) - heldBeforeMs);
        resolve({ code, ...said, tookMs, heldMs: Math.min(heldMs, tookMs) });
      });
    });
  }

  /** Starts one that stays. */
  stay(command: readonly [string, ...string[]], stdio: StdioOptions): ChildProcess {
    const [file, ...args] = command;
    return spawn(file, args, { cwd: this.folder, env: this.env, stdio });
  }

  /** The daemon's OS process, as it says itself; undefined when there is none. */
  get daemonPid(): number | undefined {
    return homeProcesses(this.home).find(({ what }) => what === "daemon")?.identity.osPid;
  }

  /** Daemon, recorder and heart, as far as they live, and the launcher of shims. */
  get ownPids(): readonly number[] {
    const { daemonPid } = this;
    const children = daemonPid === undefined ? [] : childrenOf(daemonPid);
    const launchers = children.filter(({ command }) => command.includes(" launch ")).map(({ pid }) => pid);
    return [...homeProcesses(this.home).map(({ identity }) => identity.osPid), ...launchers];
  }

  get recorderPid(): number | undefined {
    return homeProcesses(this.home).find(({ what }) => what === "recorder")?.identity.osPid;
  }

  get hasHeart(): boolean {
    return findHeart(this.home) !== undefined;
  }

  /** What the services have told so far. */
  told(): readonly (readonly string[])[] {
    return readFileSync(this.facts, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split(" "));
  }

  /** Something that no service has told. */
  addFact(line: string): void {
    appendFileSync(this.facts, `${line}\n`);
  }

  /** The log files of an instance. */
  logFiles(service: string, instance: number): readonly string[] {
    const folder = logFolder(this.home, service, instance);
    return readdirSync(folder).map((name) => join(folder, name));
  }

  /** What the daemon has said, for people. */
  log(): string {
    try {
      return readFileSync(join(this.home.log, "daemon"), "utf8");
    } catch {
      return "";
    }
  }

  /** Stops everything. Gives what did not end. */
  async close(): Promise<readonly string[]> {
    const down = await this.colos("down", "--quiet", "--timeout", "20s");
    const dueMs = performance.now() + goneMs;
    while (osProcessesOf(this).length > 0 && performance.now() < dueMs) await passed(20);
    const left = osProcessesOf(this);
    for (const { pid } of left) tryKill(pid);
    return left.length === 0
      ? []
      : [`left running after down (${down.code}: ${down.stderr.trim()}):`, ...left.map(({ command }) => command)];
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** How long the first thread of an OS process was ready and had no core (proc_pid_schedstat(5)), in milliseconds; 0 when nobody says. */
function heldMsOf(osPid: number | undefined): number {
  try {
    return Number(readFileSync(`/proc/${osPid}/schedstat`, "latin1").split(" ")[1]) / 1e6;
  } catch {
    return 0; // it has ended, or the kernel does not count
  }
}

/** Settles when so many milliseconds have passed: a shortage lasts, and a person asks now and then. */
export function passed(ms: number): Promise<void> {
  return new Promise((resolve) => void nodeClock.timer(ms, resolve));
}

/** Words that run what follows them as that user. */
export function asUser(userId: number | undefined): readonly string[] {
  return userId === undefined
    ? []
    : ["setpriv", `--reuid=${userId}`, `--regid=${userId}`, "--clear-groups", "--inh-caps=-all"];
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended in between.
  }
}
