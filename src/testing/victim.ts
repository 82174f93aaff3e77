/**
 * Victim: an OS process that lives only to be struck: probes and tests see by it whether an injector does what it says.
 *
 * Guarantees: it ends when its starter is gone (its input ends) and after `victimLimitMs` at the latest.
 *
 * @module
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Milliseconds } from "../base/platform.ts";
import type { Start } from "./namespaces.ts";

/** The longest that a victim lives, in milliseconds. */
export const victimLimitMs: Milliseconds = 60_000;
/** How long a victim may take to answer, in milliseconds. */
export const answerMsMax: Milliseconds = 10_000;

/** Reads one line of input at a time, runs it as the body of an async function and writes what it gives. */
const program = `
setTimeout(() => process.exit(0), ${victimLimitMs}).unref();
const kept = {};
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const body = "return (async () => {" + JSON.parse(line) + "})()";
  Promise.resolve().then(() => new Function("require", "kept", body)(require, kept))
    .then((value) => value ?? "ok", (error) => error.code ?? error.message)
    .then((answer) => process.stdout.write(JSON.stringify(answer) + "\\n"));
}).on("close", () => process.exit(0));
process.stdout.write('"here"\\n');`;

/** How an OS process ended. */
export interface VictimEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Victim {
  readonly osPid: number;
  readonly ended: Promise<VictimEnd>;
  readonly #child: ChildProcess;
  readonly #answers: ((answer: unknown) => void)[] = [];
  readonly #unread: unknown[] = [];
  #problem = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.osPid = child.pid as number;
    this.ended = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        for (const answer of this.#answers.splice(0)) answer(`ended: ${signal ?? code} ${this.#problem}`.trim());
        resolve({ code, signal });
      });
    });
    child.stdin?.on("error", () => {});
    child.stderr?.on("data", (chunk: Buffer) => (this.#problem = `${this.#problem}${chunk.toString()}`.slice(0, 1000)));
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on("line", (line) => {
        const answer: unknown = JSON.parse(line);
        const waiting = this.#answers.shift();
        if (waiting === undefined) this.#unread.push(answer);
        else waiting(answer);
      });
    }
  }

  /** Starts one, wrapped as the injector wants it. @throws Error when it does not come up. */
  static async start(wrap: (start: Start) => Start = (start) => start): Promise<Victim> {
    const { file, args, env } = wrap({ file: process.execPath, args: ["-e", program] });
    const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
    if (child.pid === undefined) {
      const error = await new Promise<Error>((resolve) => void child.once("error", resolve));
      throw new Error(`the victim could not be started: ${error.message}`);
    }
    const victim = new Victim(child);
    const first = await victim.#answer();
    if (first === "here") return victim;
    await victim.end();
    throw new Error(`the victim did not come up: ${String(first)}`);
  }

  /**
   * Runs the body of an async function in the victim, which has `require` and, for what is to stay, `kept`. Gives what it
   * returns, the error's code when it throws, and text that begins with "ended" when the victim is gone.
   */
  run(body: string): Promise<unknown> {
    this.#child.stdin?.write(`${JSON.stringify(body.replaceAll("\n", " "))}\n`);
    return this.#answer();
  }

  async end(): Promise<void> {
    this.#child.kill("SIGKILL");
    this.#child.stdin?.destroy();
    await this.ended;
  }

  #answer(): Promise<unknown> {
    const unread = this.#unread.shift();
    if (unread !== undefined) return Promise.resolve(unread);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return Promise.resolve("ended: before");
    return new Promise((resolve) => {
      const late = setTimeout(() => resolve(`no answer within ${answerMsMax} ms`), answerMsMax);
      this.#answers.push((answer) => {
        clearTimeout(late);
        resolve(answer);
      });
    });
  }
}

/** Runs `use` with a victim and ends it. */
export async function withVictim<T>(use: (victim: Victim) => Promise<T>, wrap?: (start: Start) => Start): Promise<T> {
  const victim = await Victim.start(wrap);
  try {
    return await use(victim);
  } finally {
    await victim.end();
  }
}
