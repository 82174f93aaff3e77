/**
 * Colos process: the built `colos`, run as a person runs it, and what it writes.
 *
 * Guarantees: everything is awaited as an event: a line, the end. Waiting for a line that never comes fails with all
 * that was written, as soon as colos has ended. What runs on in the moment in which colos ends is noted in `left`.
 *
 * @module
 */
import { spawn, type ChildProcess } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { osProcessesOf, type Belonging } from "./os-processes.ts";

/** The built command, as package.json names it. */
export const colosFile: string = fileURLToPath(new URL("../../dist/bin.cjs", import.meta.url));

export interface ColosOptions {
  /** Added to the environment; undefined removes. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default `ignore`. */
  readonly stdin?: "pipe" | "ignore";
  readonly cwd: string;
  /** Lines that are not kept, and no bytes at all then: for output too large to keep. */
  readonly forget?: RegExp;
}

/** How it ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

type StreamName = "stdout" | "stderr";

interface Waiter {
  readonly matches: () => string | undefined;
  readonly resolve: (line: string) => void;
  readonly fail: () => void;
}

export class ColosProcess {
  readonly pid: number;
  /** Settles when it has ended and its output is closed. */
  readonly ended: Promise<Ended>;
  /** What belonged to the test and still ran when colos had ended. */
  readonly left: string[] = [];
  readonly #child: ChildProcess;
  readonly #chunks: Record<StreamName, Buffer[]> = { stdout: [], stderr: [] };
  readonly #lines: Record<StreamName, string[]> = { stdout: [], stderr: [] };
  readonly #rests: Record<StreamName, string> = { stdout: "", stderr: "" };
  readonly #waiters = new Set<Waiter>();
  readonly #forget: RegExp | undefined;
  #end: Ended | undefined;

  constructor(argv: readonly string[], belonging: Belonging, options: ColosOptions) {
    const { env = {}, stdin = "ignore", cwd, forget } = options;
    const [file, ...args] = argv;
    this.#forget = forget;
    this.#child = spawn(file!, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: [stdin, "pipe", "pipe"],
    });
    if (this.#child.pid === undefined) throw new Error(`${file} was not started`);
    this.pid = this.#child.pid;
    for (const name of ["stdout", "stderr"] as const) this.#read(name, this.#child[name]!);
    this.#child.once("exit", () => this.#note(osProcessesOf(belonging).filter(({ command }) => !isCompiler(command))));
    this.ended = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => {
        this.#note(osProcessesOf(belonging));
        this.#end = { code, signal };
        this.#settle();
        resolve(this.#end);
      });
    });
  }

  /** Undefined while it runs. */
  get end(): Ended | undefined {
    return this.#end;
  }

  get stdin(): Writable {
    if (this.#child.stdin === null) throw new Error('there is no stdin; start with { stdin: "pipe" }');
    return this.#child.stdin;
  }

  /** All bytes so far. */
  bytes(name: StreamName): Buffer {
    return Buffer.concat(this.#chunks[name]);
  }

  /** Whole lines so far. */
  lines(name: StreamName = "stdout"): readonly string[] {
    return this.#lines[name];
  }

  get stdout(): string {
    return this.bytes("stdout").toString();
  }

  get stderr(): string {
    return this.bytes("stderr").toString();
  }

  /** The first line on stdout or stderr, past or to come, that matches; of several the `nth`, counted from 1. */
  line(pattern: RegExp, nth = 1): Promise<string> {
    const matches = (): string | undefined =>
      [...this.#lines.stdout, ...this.#lines.stderr].filter((line) => pattern.test(line))[nth - 1];
    return new Promise((resolve, reject) => {
      const asked = new Error(`no line ${nth > 1 ? `number ${nth} ` : ""}matched ${String(pattern)}`);
      const fail = (): void => {
        asked.message += `\n${this.transcript()}`;
        reject(asked);
      };
      this.#waiters.add({ matches, resolve, fail });
      this.#settle();
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ctrl+C, and the end. */
  stop(): Promise<Ended> {
    this.signal("SIGINT");
    return this.ended;
  }

  /** As `| head -1` does: the reader of stdout goes away. */
  closeStdout(): void {
    this.#child.stdout!.destroy();
  }

  /** For people who read why a test failed. */
  transcript(): string {
    const end = this.#end === undefined ? "still runs" : `ended with ${JSON.stringify(this.#end)}`;
    return `colos ${end}\n--- stdout\n${this.stdout}\n--- stderr\n${this.stderr}`;
  }

  #read(name: StreamName, stream: Readable): void {
    stream.on("data", (chunk: Buffer) => {
      const lines = (this.#rests[name] + chunk.toString()).split("\n");
      this.#rests[name] = lines.pop() ?? "";
      const kept = lines.filter((line) => this.#forget?.test(line) !== true);
      this.#lines[name].push(...kept);
      if (this.#forget === undefined) this.#chunks[name].push(chunk);
      if (kept.length > 0) this.#settle();
    });
    stream.on("error", () => {});
  }

  #note(left: ReturnType<typeof osProcessesOf>): void {
    for (const { pid, command } of left) if (pid !== this.pid) this.left.push(`${pid}: ${command}`);
  }

  #settle(): void {
    for (const waiter of this.#waiters) {
      const line = waiter.matches();
      if (line === undefined && this.#end === undefined) continue;
      this.#waiters.delete(waiter);
      if (line === undefined) waiter.fail();
      else waiter.resolve(line);
    }
  }
}

/** esbuild's own helper ends by itself when it notices that colos is gone, and holds colos's stderr until then. */
function isCompiler(command: string): boolean {
  return command.includes("esbuild") && command.includes("--service=");
}
