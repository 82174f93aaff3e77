/**
 * Bounded command: runs a helper command for colos itself (a look at a service, a secret, a hook) and comes back whatever it does.
 *
 * Guarantees: settles once, within `timeoutMs` and what killing takes (`killWaitMs`, `outputWaitMs`). The command is the leader of
 * a process group of its own, and when this has settled the whole group is killed, whether the command failed or not. Its stdin is
 * empty. At most `outputMaxBytes` of its stdout are kept; a command that writes more is killed.
 * Limits: a command that moves to another process group escapes. A group that SIGKILL does not end within `killWaitMs` is left to
 * the kernel.
 * Not here: what its end means (probe.ts, environment.ts, hook.ts); services, which are runs (run/).
 *
 * @module
 */
import { spawn, type ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { groupMembers } from "../os/process-sample.ts";

/** How long a killed command may take to end, in milliseconds. */
export const killWaitMs = 1_000;
/** Milliseconds between two looks whether a killed command has ended. */
export const killPollMs = 5;
/** How long a command's stderr may stay open after its end, held by somebody else, in milliseconds. */
export const errorOutputWaitMs = 100;
/** The same for a stdout that is wanted; then the command has failed. */
export const outputWaitMs = 1_000;
/** The longest part of a log line or of a command's stderr that a message quotes, in characters. */
export const quoteMaxChars = 160;
/** The longest delay of Node's timers in milliseconds, 24 days; a longer one would fire at once. */
export const hostTimerMaxMs: number = 2 ** 31 - 1;

/** An executable and its arguments. */
export type Command = readonly [string, ...string[]];

export interface CommandOptions {
  /** Absolute. */
  readonly cwd: string;
  /** All of it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Kills the command; it settles as ended then. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which the command is killed; default: none. */
  readonly timeoutMs?: number;
  /** Bytes of stdout that are wanted; default 0, stdout goes nowhere. */
  readonly outputMaxBytes?: number;
}

/** How a command ended. */
export interface CommandEnd {
  /** It exited with 0, in time, and wrote no more than was wanted. */
  readonly isOk: boolean;
  /** `exit code 3`, `killed by SIGTERM`, `still running after 50 ms`, and so on. */
  readonly how: string;
  /** What it wrote on stdout, empty when it is not wanted. */
  readonly output: Buffer;
  /** The last line that it wrote on stderr, without control characters, at most `quoteMaxChars`. */
  readonly lastWords: string;
}

/** Settles when the command has ended and its process group is killed. Rejects with the OS's error when it cannot be started. */
export async function runCommand([file, ...args]: Command, options: CommandOptions): Promise<CommandEnd> {
  const { cwd, env, outputMaxBytes = 0 } = options;
  const child = spawn(file, args, {
    cwd,
    env,
    detached: true, // a process group of its own, to be killed as a whole
    stdio: ["ignore", outputMaxBytes > 0 ? "pipe" : "ignore", "pipe"],
  });
  const stop = new AbortController();
  const lastWords = collect(child.stderr, {
    bytesMax: 4 * quoteMaxChars,
    end: "last",
    onMore: () => undefined,
    waitMs: errorOutputWaitMs,
    onHeld: () => undefined,
  });
  const output = collect(child.stdout, {
    bytesMax: outputMaxBytes,
    end: "first",
    onMore: () => stop.abort(`it wrote more than ${outputMaxBytes} bytes`),
    waitMs: outputWaitMs,
    onHeld: () => stop.abort("its stdout stayed open after its end"),
  });
  const how = await endOf(child, options, stop);
  await endGroup(child); // what it started and left behind
  const [said, wrote] = await Promise.all([lastWords(), output()]);
  const why = stop.signal.aborted ? String(stop.signal.reason) : how;
  return { isOk: why === "exit code 0", how: why, output: wrote, lastWords: lastLine(said) };
}

/** Shortens what a message quotes. */
export function quote(text: string): string {
  return text.length <= quoteMaxChars ? text : `${text.slice(0, quoteMaxChars - 1)}…`;
}

async function endOf(child: ChildProcess, options: CommandOptions, stop: AbortController): Promise<string> {
  const { signal, timeoutMs } = options;
  const aborted = (): void => stop.abort("it was stopped");
  const late = (): void => stop.abort(`still running after ${timeoutMs} ms`);
  const timer = timeoutMs === undefined ? undefined : setTimeout(late, Math.min(timeoutMs, hostTimerMaxMs));
  signal?.addEventListener("abort", aborted);
  if (signal?.aborted === true) aborted();
  try {
    return await exitOf(child, stop.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", aborted);
  }
}

/** How `child` ended; it is killed when `end` is aborted. Rejects when it could not be started. */
function exitOf(child: ChildProcess, end: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let giveUp: NodeJS.Timeout | undefined;
    const stop = (): void => {
      killGroup(child);
      giveUp = setTimeout(resolve, killWaitMs, "it does not end");
    };
    const settled = (): void => {
      clearTimeout(giveUp);
      end.removeEventListener("abort", stop);
    };
    end.addEventListener("abort", stop);
    if (end.aborted) stop();
    child.once("error", (error) => {
      settled();
      reject(error);
    });
    child.once("exit", (code, osSignal) => {
      settled();
      resolve(osSignal === null ? `exit code ${code}` : `killed by ${osSignal}`);
    });
  });
}

/** False when nobody was left to kill. */
function killGroup({ pid }: ChildProcess): boolean {
  try {
    return pid !== undefined && process.kill(-pid, "SIGKILL");
  } catch {
    return false;
  }
}

/** Kills the group and waits until nobody lives in it: SIGKILL takes effect a moment after it was sent. */
async function endGroup(child: ChildProcess): Promise<void> {
  if (!killGroup(child)) return;
  const giveUpMs = performance.now() + killWaitMs;
  while (groupMembers(child.pid!).length > 0 && performance.now() < giveUpMs) await pause(killPollMs);
}

interface Keeping {
  readonly bytesMax: number;
  readonly end: "first" | "last";
  /** More than `bytesMax` came. */
  onMore(): void;
  /** Milliseconds after the command's end; then `onHeld`. */
  readonly waitMs: number;
  /** Somebody outside the group holds the stream open, so there may be more. */
  onHeld(): void;
}

/** Keeps the first or last bytes; the answer waits for the stream's end, but not for ever. */
function collect(stream: Readable | null | undefined, keeping: Keeping): () => Promise<Buffer> {
  if (stream == null) return () => Promise.resolve(Buffer.alloc(0)); // not wanted, or file descriptors ran out
  const { bytesMax } = keeping;
  let kept = Buffer.alloc(0);
  stream
    .on("error", () => undefined)
    .on("data", (part: Buffer) => {
      const all = Buffer.concat([kept, part]);
      kept = keeping.end === "last" ? all.subarray(-bytesMax) : all.subarray(0, bytesMax);
      if (all.length > bytesMax) keeping.onMore();
    });
  const closed = new Promise<void>((resolve) => void stream.once("close", resolve));
  return async () => {
    const timer = setTimeout(() => {
      keeping.onHeld();
      stream.destroy();
    }, keeping.waitMs);
    await closed;
    clearTimeout(timer);
    return kept;
  };
}

function lastLine(text: Buffer): string {
  return quote(stripVTControlCharacters(text.toString("utf8")).trim().split("\n").at(-1)!.trim());
}
