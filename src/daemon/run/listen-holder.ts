/**
 * Listen holder: a small `/bin/sh` for each shared port that has inherited its socket and starts the shims of those who accept on
 * it, so that the socket outlives the daemon.
 *
 * A daemon cannot get a file descriptor back from another OS process. So it is the other way round: whoever has the socket starts
 * what needs it, and the daemon tells it what, through a FIFO that only this user may open. A later daemon finds the holder by
 * `runs/hold-<port>-<host>` (pid, start ticks, boot id) and goes on using it.
 * Guarantees: the environment of a service reaches it through that FIFO and is in no file and on no command line. Half a
 * command, of a daemon that was killed while it wrote, is not obeyed.
 * Limit: a holder that is killed takes its place with it: while instances still have the socket, nobody can open it again.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock, Milliseconds } from "../../base/platform.ts";
import { isAlive as isLiving, lookAtProcesses } from "../../os/process-sample.ts";
import { isWithoutDescriptors, withSpareDescriptor } from "../../os/spare-descriptor.ts";
import type { Home } from "../home.ts";
import { isAlive, isSurelyAlive } from "../os-identity.ts";
import { openListenSocket } from "../listen-socket.ts";
import { writeFifo } from "./fifo.ts";
import type { ShimCall } from "./run-launch.ts";
import type { OsIdentity } from "./run.ts";
import { servicePathVariable, shimFile } from "./shim-script.ts";

/** How long a holder may take to be there, in milliseconds. */
export const holderStartMs: Milliseconds = 5_000;
/** How long a holder that has much to do may take to read a command, in milliseconds. */
export const holderWriteMs: Milliseconds = 5_000;
const lookEveryMs: Milliseconds = 2;

/** A shared port. `host` is an IP address. */
export interface ListenPlace {
  readonly port: number;
  readonly host: string;
}

export class ListenHolders {
  readonly #home: Home;
  readonly #clock: Clock;
  readonly #path: string;
  /** Holders that are being looked for or started, by their files, so that two starts make one. */
  readonly #opening = new Map<string, Promise<void>>();

  /** `path`: where shims find their tools. */
  constructor(home: Home, clock: Clock, path: string) {
    this.#home = home;
    this.#clock = clock;
    this.#path = path;
  }

  /**
   * Has the place's holder start a shim, which runs in a session of its own.
   * @throws PortInUseError, FifoError, or what the OS refuses
   */
  async start(place: ListenPlace, call: ShimCall): Promise<void> {
    const key = holdFile(this.#home, place);
    const opening = this.#opening.get(key) ?? this.#open(place).finally(() => this.#opening.delete(key));
    this.#opening.set(key, opening);
    await opening;
    const write = { timeoutMs: holderWriteMs, clock: this.#clock };
    await writeFifo(holdPipe(this.#home, place), holderCommand(startScript(this.#home, this.#path, call)), write);
  }

  /** Where a holder is, also one that an earlier daemon started. */
  places(): ListenPlace[] {
    return withSpareDescriptor(() => readdirSync(this.#home.runs)).flatMap((name) => {
      const [, port, host] = /^hold-(\d+)-(.+)$/.exec(name) ?? [];
      return host === undefined ? [] : [{ port: Number(port), host: decodeURIComponent(host) }];
    });
  }

  /** Ends the place's holder, unless it cannot be found out who that is. Instances that accept there go on. */
  release(place: ListenPlace): void {
    let holder: OsIdentity | undefined;
    try {
      holder = readHolder(this.#home, place);
    } catch {
      return; // what is not known to be free must not be opened a second time
    }
    if (holder !== undefined && isSurelyAlive(holder)) process.kill(holder.osPid, "SIGKILL");
    rmSync(holdFile(this.#home, place), { force: true });
    rmSync(holdPipe(this.#home, place), { force: true });
  }

  async #open(place: ListenPlace): Promise<void> {
    if (this.#isHeld(place)) return;
    // A daemon that was killed meanwhile may have started it, and it says who it is in a moment. Its port would not tell: until
    // somebody listens, the OS lets another socket be bound to it.
    if (isRunning(["/bin/sh", ...this.#args(place)])) return this.#untilHeld(place);
    const socket = await openListenSocket(place.port, place.host);
    try {
      this.#spawn(place, socket.fd);
      await this.#untilHeld(place);
    } finally {
      socket.close();
    }
    return undefined;
  }

  #spawn(place: ListenPlace, fd: number): void {
    this.release(place);
    const env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin" };
    const holder = spawn("/bin/sh", this.#args(place), {
      detached: true,
      cwd: "/",
      env,
      stdio: ["ignore", "ignore", "ignore", fd],
    });
    holder.on("error", () => {}); // then it is not there in time
    holder.unref();
  }

  #args(place: ListenPlace): string[] {
    return [shimFile(this.#home), "hold", holdFile(this.#home, place), holdPipe(this.#home, place)];
  }

  async #untilHeld(place: ListenPlace): Promise<void> {
    const dueMs = this.#clock.monotonicMs() + holderStartMs;
    while (!this.#isHeld(place)) {
      if (this.#clock.monotonicMs() >= dueMs) {
        const sentence = `port ${place.port} on ${place.host} has no holder after ${holderStartMs} ms`;
        throw Object.assign(new Error(sentence), { code: "EAGAIN" });
      }
      await new Promise<void>((resolve) => void this.#clock.timer(lookEveryMs, resolve));
    }
  }

  #isHeld(place: ListenPlace): boolean {
    const holder = readHolder(this.#home, place);
    return holder !== undefined && isAlive(holder);
  }
}

/** Whether an OS process has this command line. @throws the OS's error when that cannot be looked at */
function isRunning(argv: readonly string[]): boolean {
  const commandLine = `${argv.join("\0")}\0`;
  for (const stat of lookAtProcesses()) if (isLiving(stat) && commandLineOf(stat.pid) === commandLine) return true;
  return false;
}

function commandLineOf(osPid: number): string {
  try {
    return withSpareDescriptor(() => readFileSync(`/proc/${osPid}/cmdline`, "utf8"));
  } catch (error) {
    if (isWithoutDescriptors(error)) throw error;
    return ""; // it has ended
  }
}

function holdFile(home: Home, { port, host }: ListenPlace): string {
  return join(home.runs, `hold-${port}-${encodeURIComponent(host)}`);
}

function holdPipe(home: Home, { port, host }: ListenPlace): string {
  return join(home.pipes, `${port}-${encodeURIComponent(host)}.hold`);
}

/** @throws the OS's error when it cannot be read for want of a file descriptor */
function readHolder(home: Home, place: ListenPlace): OsIdentity | undefined {
  try {
    const text = withSpareDescriptor(() => readFileSync(holdFile(home, place), "utf8"));
    const [, pid, ticks, bootId] = /^(\d+) (\d+) (\S+)\n$/.exec(text) ?? [];
    return bootId === undefined ? undefined : { osPid: Number(pid), startTicks: Number(ticks), bootId };
  } catch (error) {
    if (isWithoutDescriptors(error)) throw error;
    return undefined;
  }
}

/** The first setsid leads a session, so the second one forks, and nobody waits for the shim. */
function startScript(home: Home, path: string, { words, env: { PATH, ...env }, cwd }: ShimCall): string {
  const own = PATH === undefined ? { ...env, PATH: path } : { ...env, PATH: path, [servicePathVariable]: PATH };
  const variables = Object.entries(own).map(([name, value]) => `${name}=${quoted(value)}`);
  const args = [shimFile(home), "run", ...words];
  const command = ["exec setsid setsid /bin/sh", ...args.map(quoted), ">/dev/null 2>&1"].join(" ");
  return `export ${variables.join(" ")}; cd ${quoted(cwd)} && ${command}`;
}

/** A line that begins and ends with the same word; the line end before it ends what was left half. */
function holderCommand(script: string): string {
  const word = randomBytes(8).toString("hex");
  return `\n${word} ${script} ${word}\n`;
}

/** As one word of a shell command on one line; the holder knows the line end as a variable. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''").replaceAll("\n", `'"$colos_newline"'`)}'`;
}
