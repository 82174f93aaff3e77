/**
 * Program: what `spawn` runs. A function runs on the coroutine carrier of the kernel at hand; a file or a command
 * names a carrier that can run it.
 *
 * Unlike Erlang's module, function and arguments, a program names code that need not be loaded anywhere yet.
 * Not here: loading and bundling files (platforms/), running them (carriers/).
 *
 * @module
 */
import type { AnyPid } from "./pid.ts";
import type { Process } from "./process.ts";
import type { ChannelLimit } from "./signal.ts";

/**
 * A process body. It runs after `spawn` has returned (OTP P1). When it returns, the process ends with `"normal"`;
 * when it throws, with what it threw. `Message` is what the process takes from its mailbox.
 */
export type Body<Message = unknown, Args extends readonly unknown[] = readonly never[]> = (
  self: Process<Message>,
  ...args: Args
) => unknown;

const programMark = Symbol.for("colos.program");

/** A process body that a file offers as its default export. */
export interface DefinedProgram<Message = unknown, Args extends readonly unknown[] = readonly never[]> {
  readonly kind: "defined";
  readonly body: Body<Message, Args>;
  /** Whether the body calls `ready` itself; otherwise its process counts as started once the body has begun. */
  readonly acknowledges: boolean;
}

/**
 * Marks `body` as the program of its file: `export default defineProgram(async (self) => …)`. A file without it is
 * an ordinary script: its process lives as long as the script has something to do. With `acknowledges`, whoever starts it
 * waits until the body calls `self.ready()`.
 */
export function defineProgram<Message, Args extends readonly unknown[]>(
  body: Body<Message, Args>,
  options: { readonly acknowledges?: boolean } = {},
): DefinedProgram<Message, Args> {
  const acknowledges = options.acknowledges ?? false;
  return Object.freeze({ kind: "defined", body, acknowledges, [programMark]: true }) as DefinedProgram<Message, Args>;
}

/** The program that a loaded module offers, or undefined for an ordinary script. */
export function definedProgramOf(exported: unknown): DefinedProgram<unknown, readonly unknown[]> | undefined {
  if (typeof exported !== "object" || exported === null || !(programMark in exported)) return undefined;
  return exported as unknown as DefinedProgram<unknown, readonly unknown[]>;
}

/**
 * The body of `program` for somebody who waits until it has started: unless it acknowledges by itself, it counts as
 * started once it has begun.
 */
export function acknowledgingBody<Message, Args extends readonly unknown[]>(
  program: DefinedProgram<Message, Args>,
): Body<Message, Args> {
  if (program.acknowledges) return program.body;
  return (self, ...args) => {
    const result = program.body(self, ...args);
    self.ready();
    return result;
  };
}

/** A TypeScript or JavaScript file, by absolute path or URL; made by `program()`. */
export interface ProgramFile<Message = unknown> {
  readonly kind: "file";
  readonly url: string;
  /** Only for the type checker. */
  readonly accepts?: (message: Message) => void;
}

/**
 * Names a file as a program: `program("./worker.ts", import.meta.url)`, or an absolute path or URL alone.
 * @throws Error when a relative reference has no base.
 */
export function program<Message = unknown>(reference: string, base?: string): ProgramFile<Message> {
  if (/^[a-z][a-z0-9+.-]*:/i.test(reference)) return { kind: "file", url: reference };
  if (reference.startsWith("/")) return { kind: "file", url: `file://${encodePath(reference)}` };
  if (base === undefined)
    throw new Error(`program "${reference}" is relative; pass import.meta.url as second argument`);
  const folder = base.slice(0, base.lastIndexOf("/"));
  return { kind: "file", url: resolveSegments(`${folder}/${encodePath(reference)}`) };
}

/** A path may have what begins a query or a fragment in a URL. */
function encodePath(path: string): string {
  return encodeURI(path).replace(/[?#]/g, encodeURIComponent);
}

function resolveSegments(url: string): string {
  const schemeEnd = url.indexOf("://") + 3;
  const segments: string[] = [];
  for (const segment of url.slice(schemeEnd).split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== ".") segments.push(segment);
  }
  return url.slice(0, schemeEnd) + segments.join("/");
}

/** An executable and its arguments; never a shell string. Made by `command()`. */
export interface CommandLine {
  readonly kind: "command";
  readonly file: string;
  readonly args: readonly string[];
}

/** Names an executable as a program: `command("redis-server", "--port", "6379")`. Found on PATH unless it has a slash. */
export function command(file: string, ...args: readonly string[]): CommandLine {
  return { kind: "command", file, args };
}

/** Anything `spawn` takes. */
export type Program<Message = unknown, Args extends readonly unknown[] = readonly never[]> =
  | Body<Message, Args>
  | DefinedProgram<Message, Args>
  | ProgramFile<Message>
  | CommandLine;

/** Where output goes: a process gets `OutputMessage`s, a function gets the bytes, `inherit` shares colos's own. */
export type OutputSink = AnyPid | "inherit" | "ignore" | ((stream: "stdout" | "stderr", data: Uint8Array) => void);

/** What only carriers with an OS process or a thread of their own heed. */
export interface HostOptions {
  /** Added to colos's own environment; null removes a variable. */
  readonly env?: Readonly<Record<string, string | null>>;
  /** Absolute working directory. Threads cannot have their own and refuse it. */
  readonly cwd?: string;
  /** Default `ignore`; output is always drained, so nobody's slowness blocks the program. */
  readonly output?: OutputSink;
  /** Listening sockets handed on as file descriptors 3 and up, with LISTEN_FDS; os-process and command. */
  readonly listenFds?: readonly number[];
  /** How much the channel to the program's carrier holds, and what happens beyond; thread and os-process. */
  readonly channel?: ChannelLimit;
  /** Command-line arguments of a script (`process.argv`). */
  readonly argv?: readonly string[];
  /** The standard input: `pipe` (default; a command's messages go there) or `inherit`. */
  readonly stdin?: "pipe" | "inherit";
  /** What an ordered stop sends to a command's whole process group; default `SIGTERM`. */
  readonly stopSignal?: string;
  /** Called with the OS process id as soon as there is one. */
  readonly onOsPid?: (osPid: number) => void;
  /** Called with how the OS process ended: an exit code, or the OS signal that ended it. */
  readonly onOsExit?: (code: number | null, signal: string | null) => void;
}
