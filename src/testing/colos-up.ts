/**
 * Colos up: a real `colos up --foreground` in an OS process of its own, to be the system of a property or of a test.
 *
 * Guarantees: whatever becomes of the test, colos and all that it started end: `end` does it, and a guard when nobody calls
 * that. Everything is awaited as an event: a line, readiness, the end; a wait that cannot be fulfilled any more rejects with
 * what was written.
 * Limits: the last `linesMax` lines are kept; a program that removes its environment is not found by the guard.
 *
 * @module
 */
import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { dirname } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Guard } from "./guard.ts";
import type { Start } from "./injector.ts";
import { markVariable, startSweeper } from "./sweep.ts";

/** Lines that are kept. */
export const linesMax = 10_000;

export interface ColosUpOptions {
  /** How it is started: what an injector's `wrap` makes of it. */
  readonly wrap?: (start: Start) => Start;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the folder of the config. */
  readonly cwd?: string;
}

/** How colos ended. */
export interface ColosEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

interface Waiter {
  readonly pattern: RegExp;
  readonly nth: number;
  readonly resolve: (line: string) => void;
  readonly reject: (error: Error) => void;
}

export class ColosUp {
  /** The OS process of colos. */
  readonly osPid: number;
  /** Settles when it has ended and all its output was read. */
  readonly ended: Promise<ColosEnd>;
  readonly #child: ChildProcess;
  readonly #sweeper: Guard;
  readonly #lines: string[] = [];
  readonly #waiters = new Set<Waiter>();
  #end: ColosEnd | undefined;

  private constructor(child: ChildProcess, sweeper: Guard) {
    this.#child = child;
    this.#sweeper = sweeper;
    this.osPid = child.pid as number;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on("line", (line) => this.#read(line));
    }
    this.ended = new Promise((resolve) => {
      // Not `close`: what colos leaves behind after SIGKILL holds its output open.
      child.once("exit", (code, signal) => {
        this.#end = { code, signal };
        for (const { reject, pattern } of this.#waiters) reject(this.#noLine(pattern));
        this.#waiters.clear();
        resolve(this.#end);
      });
    });
  }

  /** Starts `colos up --foreground` with the config; returns once there is an OS process. */
  static async start(bin: string, config: string, options: ColosUpOptions = {}): Promise<ColosUp> {
    const { wrap = (start: Start): Start => start, env = {}, cwd = dirname(config) } = options;
    const mark = randomUUID();
    const sweeper = await startSweeper(mark);
    const start = wrap({ file: process.execPath, args: [bin, "up", "--foreground", config] });
    const child = spawn(start.file, start.args, {
      cwd,
      env: { ...process.env, ...start.env, ...env, [markVariable]: mark },
      stdio: ["ignore", "pipe", "pipe"],
    });
    if (child.pid === undefined) {
      const error = await new Promise<Error>((resolve) => void child.once("error", resolve));
      await sweeper.undo();
      throw new Error(`colos could not be started: ${error.message}`);
    }
    return new ColosUp(child, sweeper);
  }

  /** What it wrote so far, on stdout and stderr, as it came. */
  lines(): readonly string[] {
    return this.#lines;
  }

  /** The first line, past or to come, that matches; or the `nth`, counted from 1. */
  line(pattern: RegExp, nth = 1): Promise<string> {
    const found = this.#lines.filter((line) => pattern.test(line))[nth - 1];
    if (found !== undefined) return Promise.resolve(found);
    if (this.#end !== undefined) return Promise.reject(this.#noLine(pattern));
    return new Promise((resolve, reject) => void this.#waiters.add({ pattern, nth, resolve, reject }));
  }

  /** Until every service is ready. */
  async ready(): Promise<void> {
    await this.line(/^colos +=.* every service is ready/);
  }

  /** The OS process id of a service's instance, once it was started for the `nth` time. */
  async osPidOf(name: string, nth = 1): Promise<number> {
    const escaped = name.replaceAll(/[$()*+.?[\\\]^{|}]/g, "\\$&");
    const line = await this.line(new RegExp(`^${escaped} +=.* starting \\(pid \\d+\\)`), nth);
    return Number(/\(pid (\d+)\)/.exec(line)?.[1]);
  }

  /** SIGKILL for colos itself. Its services, which it can no longer end, are ended by `end`. */
  async kill(): Promise<ColosEnd> {
    this.#child.kill("SIGKILL");
    return this.ended;
  }

  /** Ctrl+C. */
  async stop(): Promise<ColosEnd> {
    this.#child.kill("SIGINT");
    return this.ended;
  }

  /** Ends colos and all that it started, whatever state they are in. Idempotent. */
  async end(): Promise<void> {
    if (this.#end === undefined) await this.kill();
    await this.#sweeper.undo();
  }

  #read(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > linesMax) this.#lines.shift();
    for (const waiter of this.#waiters) {
      if (!waiter.pattern.test(line)) continue;
      const found = this.#lines.filter((each) => waiter.pattern.test(each))[waiter.nth - 1];
      if (found === undefined) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(found);
    }
  }

  #noLine(pattern: RegExp): Error {
    const { code, signal } = this.#end as ColosEnd;
    return new Error(
      `colos ended with ${signal ?? `exit code ${code}`}, and no line matched ${pattern}:\n${this.#lines.slice(-50).join("\n")}`,
    );
  }
}
