/**
 * Forward: gives each line to a second place besides the file: the recorder's own stdout (in a container) or journald.
 *
 * Guarantees: it is never in the way of the file. A place that is slower than the service loses lines, and says how many.
 * Limits: `forwardBytesMax` wait for a slow place; a line is forwarded in pieces of `forwardLineBytesMax`.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { constants, createWriteStream, existsSync, fstatSync, openSync } from "node:fs";
import { connect, Socket } from "node:net";
import type { Writable } from "node:stream";
import type { LogStream } from "./cri-format.ts";

/** Bytes that wait for a slow place before lines are lost, for each place. */
export const forwardBytesMax = 1_048_576;
/** The longest line that is forwarded in one piece, in bytes. */
export const forwardLineBytesMax = 16_384;
/** Where journald takes streams of lines. */
export const journalSocket = "/run/systemd/journal/stdout";

/** Why lines cannot be given to journald here; undefined: they can. */
export function journaldProblem(socketPath: string = journalSocket): string | undefined {
  if (existsSync(socketPath)) return undefined;
  return `there is no journald here (no socket ${socketPath}); remove \`logs.forward\`, or set it to "stdout"`;
}

/** A place for lines. */
class Sink {
  readonly #out: Writable;
  #lost = 0;
  #isGone = false;

  constructor(out: Writable) {
    this.#out = out;
    out.on("error", () => (this.#isGone = true));
  }

  /** `lost` makes a line that says how many were lost, once there is room again. */
  write(lines: readonly Buffer[], lost: (count: number) => string): void {
    if (this.#isGone) return;
    if (this.#out.writableLength > forwardBytesMax) {
      this.#lost += lines.length;
      return;
    }
    const before = this.#lost === 0 ? [] : [Buffer.from(lost(this.#lost))];
    this.#lost = 0;
    this.#out.write(Buffer.concat([...before, ...lines]));
  }

  /** Settles when nothing waits any more. */
  flushed(): Promise<void> {
    if (this.#isGone || this.#out.writableLength === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#out.once("error", () => resolve());
      this.#out.write("", () => resolve());
    });
  }

  end(): void {
    this.#out.end();
  }
}

let ownStdout: Sink | undefined;

/**
 * stdout opened anew, so that nobody else's writes become non-blocking with ours; a file, which never is, as it stands, so that who
 * else writes to it (the daemon of a container) and we go on behind each other instead of over each other.
 */
function stdoutSink(): Sink {
  ownStdout ??= new Sink(openStdout());
  return ownStdout;
}

function openStdout(): Writable {
  const kind = fstatSync(1);
  if (kind.isSocket()) return new Socket({ fd: 1, readable: false, writable: true });
  if (kind.isFile()) return createWriteStream("", { fd: 1, autoClose: false });
  const path = "/proc/self/fd/1";
  if (!kind.isFIFO()) return createWriteStream(path, { flags: "a" });
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  return new Socket({ fd, readable: false, writable: true });
}

/** The lines of one run on their way to a second place. */
export class Forward {
  readonly #name: string;
  readonly #sinks: Readonly<Record<LogStream, Sink>>;
  readonly #isShared: boolean;
  readonly #prefix: Buffer;
  readonly #rests = new Map<LogStream, Buffer>();

  private constructor(name: string, sinks: Readonly<Record<LogStream, Sink>>, isShared: boolean) {
    this.#name = name;
    this.#sinks = sinks;
    this.#isShared = isShared;
    this.#prefix = Buffer.from(isShared ? `${name} | ` : "");
  }

  /** To the recorder's stdout, each line after the instance's name. */
  static toStdout(name: string): Forward {
    const sink = stdoutSink();
    return new Forward(name, { stdout: sink, stderr: sink }, true);
  }

  /** To journald, as systemd-cat(1) does it: stdout as `info`, stderr as `err`. @throws Error with a sentence when there is none */
  static toJournald(name: string, socketPath: string = journalSocket): Forward {
    const problem = journaldProblem(socketPath);
    if (problem !== undefined) throw new Error(problem);
    const stream = (priority: number): Sink => {
      // journald ends its own side at once, and Node would end this one with it.
      const socket = connect({ path: socketPath, allowHalfOpen: true });
      socket.resume();
      socket.write(`${name}\n\n${priority}\n0\n0\n0\n0\n`);
      return new Sink(socket);
    };
    return new Forward(name, { stdout: stream(6), stderr: stream(3) }, false);
  }

  /** Settles when this OS process's stdout has taken all that waited for it. */
  static flushed(): Promise<void> {
    return ownStdout?.flushed() ?? Promise.resolve();
  }

  take(stream: LogStream, bytes: Buffer): void {
    const rest = this.#rests.get(stream);
    const all = rest === undefined ? bytes : Buffer.concat([rest, bytes]);
    const lines: Buffer[] = [];
    let start = 0;
    for (;;) {
      const found = all.indexOf(10, start);
      const isLong = (found < 0 ? all.length : found) - start > forwardLineBytesMax;
      if (found < 0 && !isLong) break;
      const stop = isLong ? start + forwardLineBytesMax : found;
      lines.push(this.#line(all.subarray(start, stop)));
      start = isLong ? stop : stop + 1;
    }
    if (start < all.length) this.#rests.set(stream, Buffer.from(all.subarray(start)));
    else this.#rests.delete(stream);
    if (lines.length > 0) this.#write(stream, lines);
  }

  /** The last line of the stream, if it has no end. */
  ended(stream: LogStream): void {
    const rest = this.#rests.get(stream);
    this.#rests.delete(stream);
    if (rest !== undefined) this.#write(stream, [this.#line(rest)]);
    if (!this.#isShared) this.#sinks[stream].end();
  }

  #line(text: Buffer): Buffer {
    return Buffer.concat([this.#prefix, text, newline]);
  }

  #write(stream: LogStream, lines: readonly Buffer[]): void {
    const lost = (count: number): string =>
      `${this.#isShared ? "colos | " : ""}${this.#name}: ${count} lines were not forwarded, because this place was too slow; they are in its log\n`;
    this.#sinks[stream].write(lines, lost);
  }
}

const newline = Buffer.from("\n");
