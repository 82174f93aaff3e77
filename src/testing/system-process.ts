/**
 * System process: a property's system in an OS process of its own, which can be ended with SIGKILL and started again, and
 * what it and its starter say to each other.
 *
 * Guarantees: what the system counted and told before it was killed has arrived, because the pipe between the two keeps it.
 * When the starter is gone, the system ends itself.
 * Limits: an answer comes within `askMsMax`; a stopped system answers when it goes on.
 *
 * @module
 */
import { spawn, type ChildProcess } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Milliseconds } from "../base/platform.ts";
import type { FaultName } from "../faults/fault.ts";
import { SeededChoices } from "../sim/choices.ts";
import type { Property } from "../sim/property.ts";
import type { Start } from "./injector.ts";
import {
  PropertyRun,
  type CarrierTarget,
  type ProcessFault,
  type RealSystem,
  type RunNotice,
  type RunningProperty,
} from "./property-run.ts";
import { markVariable } from "./sweep.ts";

/** How long the system may take to answer, in milliseconds. */
export const askMsMax: Milliseconds = 60_000;
/** How long the OS may take to end the system, in milliseconds: a tracer or a device may hold it. */
export const killMsMax: Milliseconds = 20_000;
/** Lines of the system's own output that are told, of one start. */
export const outputLinesMax = 100;

/** Where a property stands, so that another OS process can load it. */
export interface PropertyFile {
  readonly url: string;
  /** What the file exports it as. */
  readonly name: string;
}

/** What a system process is started with. */
export interface SystemOrder {
  readonly property: PropertyFile;
  readonly seed: number;
  readonly directory: string;
  readonly startedMs: Milliseconds;
  readonly counts: readonly (readonly [key: string, count: number])[];
  readonly checkEveryMs: Milliseconds;
  readonly targets: readonly string[] | undefined;
}

type Ask =
  | { readonly what: "strike"; readonly fault: ProcessFault; readonly draw: number; readonly title: string | undefined }
  | { readonly what: "noteFault"; readonly fault: FaultName; readonly subject: string }
  | { readonly what: "carriers" | "calm" | "end" };
type ToSystem =
  | { readonly type: "begin"; readonly order: SystemOrder }
  | { readonly type: "ask"; id: number; ask: Ask };
type FromSystem =
  | { readonly type: "notice"; readonly notice: RunNotice }
  | { readonly type: "answer"; readonly id: number; readonly value?: unknown; readonly problem?: string };

/** How the OS process of a system ended. */
export interface SystemEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The starter's side. */
export class SystemProcess implements RunningProperty {
  readonly osPid: number;
  readonly ended: Promise<SystemEnd>;
  readonly #child: ChildProcess;
  readonly #answers = new Map<number, (answer: { value?: unknown; problem?: string }) => void>();
  #asksCount = 0;
  #hasEnded = false;

  private constructor(child: ChildProcess, tell: (notice: RunNotice) => void, nowMs: () => Milliseconds) {
    this.#child = child;
    this.osPid = child.pid as number;
    child.on("message", (message: FromSystem) => {
      if (message.type === "notice") tell(message.notice);
      else this.#answers.get(message.id)?.(message);
    });
    child.on("error", () => {});
    let linesCount = 0;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (what) => {
        linesCount += 1;
        const line = { atMs: nowMs(), subject: "the system", what: `writes: ${what.slice(0, 300)}` };
        if (linesCount <= outputLinesMax) tell({ kind: "told", line });
      });
    }
    this.ended = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        this.#hasEnded = true;
        for (const answer of this.#answers.values()) answer({});
        resolve({ code, signal });
      });
    });
  }

  /** Starts it; what it does is told. @throws Error when there is no such OS process. */
  static async start(
    entry: URL,
    order: SystemOrder,
    options: {
      readonly mark: string;
      readonly wrap: (start: Start) => Start;
      readonly tell: (notice: RunNotice) => void;
      readonly nowMs: () => Milliseconds;
    },
  ): Promise<SystemProcess> {
    const { file, args, env } = options.wrap({ file: process.execPath, args: [fileURLToPath(entry)] });
    const child = spawn(file, args, {
      env: { ...process.env, ...env, [markVariable]: options.mark },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    if (child.pid === undefined) {
      const error = await new Promise<Error>((resolve) => void child.once("error", resolve));
      throw new Error(`the system could not be started: ${error.message}`);
    }
    const system = new SystemProcess(child, options.tell, options.nowMs);
    system.#send({ type: "begin", order });
    return system;
  }

  async strike(fault: ProcessFault, draw: number, title?: string): Promise<string | undefined> {
    return (await this.#ask({ what: "strike", fault, draw, title })) as string | undefined;
  }

  async noteFault(fault: FaultName, subject: string): Promise<void> {
    await this.#ask({ what: "noteFault", fault, subject });
  }

  async carriers(): Promise<readonly CarrierTarget[]> {
    return ((await this.#ask({ what: "carriers" })) ?? []) as readonly CarrierTarget[];
  }

  async calm(): Promise<void> {
    await this.#ask({ what: "calm" });
  }

  /** Ends the system in order, or with SIGKILL when it does not. */
  async end(): Promise<void> {
    await this.#ask({ what: "end" }).catch(() => {});
    await this.kill();
  }

  /** SIGKILL, and the end. @throws Error when the OS does not end it within `killMsMax`. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    let late: NodeJS.Timeout | undefined;
    const overdue = new Promise<never>((_, reject) => {
      const sentence = `the OS process ${this.osPid} of the system did not end within ${killMsMax} ms after SIGKILL`;
      late = setTimeout(() => reject(new Error(sentence)), killMsMax);
    });
    try {
      await Promise.race([this.ended, overdue]);
    } finally {
      clearTimeout(late);
    }
  }

  /** Gives undefined when the system is gone. @throws Error when it answers that it failed, or not at all. */
  #ask(ask: Ask): Promise<unknown> {
    if (this.#hasEnded) return Promise.resolve(undefined);
    this.#asksCount += 1;
    const id = this.#asksCount;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#answers.delete(id);
        reject(new Error(`the system did not answer "${ask.what}" within ${askMsMax} ms`));
      }, askMsMax);
      this.#answers.set(id, ({ value, problem }) => {
        clearTimeout(late);
        this.#answers.delete(id);
        if (problem === undefined) resolve(value);
        else reject(new Error(problem));
      });
      this.#send({ type: "ask", id, ask });
    });
  }

  #send(message: ToSystem): void {
    if (this.#child.connected) this.#child.send(message, () => {});
  }
}

/** What the system's own side needs of its host. */
export interface SystemHost {
  createSystem(directory: string): RealSystem;
  loadModule(url: string): Promise<unknown>;
}

/** The system's side: does what its starter asks until that one is gone. */
export function serveSystem(host: SystemHost): void {
  const run = new Promise<PropertyRun<unknown>>((resolve) => {
    process.on("message", (message: ToSystem) => {
      if (message.type === "begin") resolve(begin(host, message.order));
      else void run.then((begun) => answer(begun, message.id, message.ask));
    });
  });
  process.on("disconnect", () => process.exit(1));
}

async function begin(host: SystemHost, order: SystemOrder): Promise<PropertyRun<unknown>> {
  const { property: file, seed, counts, ...rest } = order;
  const tell = (notice: RunNotice): void => say({ type: "notice", notice });
  let property: Property<unknown>;
  try {
    property = asProperty(await host.loadModule(file.url), file);
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    tell({ kind: "failed", check: "setup", message: `the property could not be loaded: ${message}` });
    property = { name: file.name, setup: () => undefined };
  }
  const setting = { ...rest, counts: new Map(counts), choices: new SeededChoices(seed) };
  const run = new PropertyRun(property, host.createSystem(order.directory), setting, tell);
  run.start();
  return run;
}

function asProperty(loaded: unknown, { url, name }: PropertyFile): Property<unknown> {
  const found = (loaded as Readonly<Record<string, unknown>>)[name] as Partial<Property<unknown>> | undefined;
  if (typeof found?.setup === "function") return found as Property<unknown>;
  const names = Object.keys(loaded as object).join(", ") || "nothing";
  throw new Error(`${url} exports no property as "${name}" (it exports ${names})`);
}

async function answer(run: PropertyRun<unknown>, id: number, ask: Ask): Promise<void> {
  try {
    say({ type: "answer", id, value: await perform(run, ask) });
  } catch (thrown) {
    say({ type: "answer", id, problem: thrown instanceof Error ? thrown.message : String(thrown) });
  }
}

function perform(run: PropertyRun<unknown>, ask: Ask): Promise<unknown> {
  if (ask.what === "strike") return run.strike(ask.fault, ask.draw, ask.title);
  if (ask.what === "noteFault") return run.noteFault(ask.fault, ask.subject);
  return run[ask.what]();
}

/** What cannot be said is said as text: a check's message may be anything. */
function say(message: FromSystem): void {
  if (process.connected) process.send?.(message, () => {});
}
