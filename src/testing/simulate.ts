/**
 * Simulate: a property under any schedule of failures, in a test of any framework.
 *
 * Guarantees: resolves only when the property held in all runs and no part of it was idle; everything else rejects with a
 * message that tells the story and the command that replays it. While a run is under way, what would make it differ from
 * the next one (`Date.now`, `Math.random`, `setTimeout` and the like) throws and says what stands in its place.
 * Limits: a campaign runs in the heap and on the thread of its test; between runs, and now and then in a long one, it lets the host's event loop turn.
 *
 * @module
 */
import process from "node:process";
import { setImmediate } from "node:timers";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { suggestionClause } from "../base/suggestion.ts";
import { CampaignError } from "../sim/campaign-check.ts";
import { runCampaign, type CampaignHost, type Counterexample, type Report } from "../sim/campaign.ts";
import type { CampaignOptions, Plan, Property } from "../sim/property.ts";
import { tellFailure, tellReplay, tellReport, tellWeak } from "../sim/story.ts";
import { sealed } from "./sealed-globals.ts";

/** What `simulate` takes besides what a campaign does. */
export interface SimulateOptions extends CampaignOptions {
  /** Pass although a label of `sometimes` was never reached or a fault never struck; default false. */
  readonly allowWeak?: boolean;
}

/** The property does not hold, or it is a weak test. */
export class PropertyError extends Error {
  readonly #report: Report;

  /** `cause`: what a part of the property threw. */
  constructor(message: string, report: Report, options: ErrorOptions = {}) {
    super(message, options);
    this.name = "PropertyError";
    this.#report = report;
  }

  /** No field of its own: whoever prints the error has said it all with the message. */
  get report(): Report {
    return this.#report;
  }
}

/** In the environment: `<name of a property>: <replay>` replays that run of that property. */
export const replayVariable = "COLOS_REPLAY";

/**
 * Runs `property` in simulated systems under `plan`, each run with its own seed.
 * @throws PropertyError when it does not hold, or is weak; CampaignError for bad use; EscapedError when a process awaits what
 * cannot be simulated.
 */
export async function simulate<System>(
  property: Property<System>,
  plan: Plan = {},
  options: SimulateOptions = {},
): Promise<Report> {
  const called = new Error("simulate");
  const { allowWeak = false, ...campaign } = options;
  const report = await run(property, plan, campaign);
  if (!report.ok) {
    const story = tellFailure(report, (text) => replayCommand(property.name, text, called));
    const { cause } = report.failure ?? {};
    throw at(called, new PropertyError(story, report, cause === undefined ? {} : { cause }));
  }
  if (report.weaknesses.length > 0 && !allowWeak) {
    throw at(called, new PropertyError(tellWeak(report), report));
  }
  return report;
}

/**
 * The other way round: gives the shrunk run in which `property` does not hold. For a system that is known to be broken, which
 * shows that the property and the plan can find it.
 * @throws PropertyError when it holds in all runs; else as `simulate`.
 */
export async function refute<System>(
  property: Property<System>,
  plan: Plan = {},
  options: CampaignOptions = {},
): Promise<Counterexample> {
  const called = new Error("refute");
  const report = await run(property, plan, options);
  if (report.failure !== undefined) {
    // Nobody else would show it.
    if (process.env[replayVariable]?.startsWith(`${property.name}: `) === true) {
      process.stderr.write(`${tellFailure(report, (text) => replayCommand(property.name, text, called))}\n`);
    }
    return report.failure;
  }
  throw at(called, new PropertyError(`no run was found in which it does not hold: ${tellReport(report)}`, report));
}

async function run<System>(property: Property<System>, plan: Plan, options: CampaignOptions): Promise<Report> {
  const replay = replayOf(property?.name);
  const given = replay === undefined ? options : { ...options, replay };
  const report = await alone(() => catchingStrays(() => runCampaign(property, plan, given, host)));
  if (replay !== undefined && report.ok) process.stderr.write(`${tellReplay(report)}\n`);
  return report;
}

/** Test runners show the line where the stack begins: the one that called `simulate`, not one in here. */
function at({ stack = "" }: Error, error: PropertyError): PropertyError {
  const callers = stack.split("\n").slice(2);
  error.stack = [`${error.name}: ${error.message}`, ...callers].join("\n");
  return error;
}

/* Campaigns of one thread run one after the other: what they seal is everybody's. */
let last: Promise<unknown> = Promise.resolve();

function alone<T>(run: () => Promise<T>): Promise<T> {
  const turn = last.then(run);
  last = turn.catch(() => {});
  return turn;
}

let strays: unknown[] = [];

async function catchingStrays<T>(run: () => Promise<T>): Promise<T> {
  const note = (error: unknown): void => void strays.push(error);
  process.on("unhandledRejection", note);
  try {
    return await run();
  } finally {
    process.off("unhandledRejection", note);
  }
}

const host: CampaignHost = {
  takeStrays: () => {
    const taken = strays;
    strays = [];
    return taken;
  },
  cpuMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  load: (url) => sealed.open(async () => (await import(url)) as Record<string, unknown>),
  drain: () => sealed.open(() => new Promise<void>((resolve) => void setImmediate(resolve))),
  inside: (run) => sealed.close(run),
};

/** Names of the properties that were run while another one was to be replayed; null once that one was. */
let others: Set<string> | null = new Set();

/** @throws CampaignError for a variable that cannot mean anything. */
function replayOf(name: string): string | undefined {
  const given = process.env[replayVariable];
  if (given === undefined || given === "") return undefined;
  if (given.startsWith(`${name}: `)) {
    others = null;
    return given.slice(name.length + 2);
  }
  const separator = given.lastIndexOf(": ");
  if (separator === -1) {
    throw new CampaignError(`${replayVariable} is "<name of a property>: <replay>", not ${JSON.stringify(given)}`);
  }
  noteOther(name, given.slice(0, separator));
  return undefined;
}

/** Whoever replays a property that no test has would take what the others say for its answer. */
function noteOther(name: string, wanted: string): void {
  if (others === null) return;
  if (others.size === 0) {
    process.once("exit", () => {
      if (others === null) return;
      const names = [...others].map((other) => `"${other}"`).join(", ");
      const rest = suggestionClause(wanted, others);
      process.stderr.write(
        `${replayVariable} replays "${wanted}"${rest || `, but the properties here are ${names}`}\n`,
      );
      process.exitCode = 1;
    });
  }
  others.add(name);
}

/** How this test was probably started, with the run to replay. */
function replayCommand(name: string, replay: string, called: Error): string {
  const { command, file } = start(called);
  return `${replayVariable}=${quoted(`${name}: ${replay}`)} ${command}${file === undefined ? "" : ` ${relative(process.cwd(), file)}`}`;
}

/** What runs the test, and the file that it was given. */
function start(called: Error): { readonly command: string; readonly file: string | undefined } {
  const { VITEST, JEST_WORKER_ID, NODE_TEST_CONTEXT, NODE_OPTIONS = "" } = process.env;
  if (VITEST !== undefined) {
    const worker = (globalThis as { __vitest_worker__?: { readonly filepath?: unknown } }).__vitest_worker__;
    const file = typeof worker?.filepath === "string" ? worker.filepath : callerFile(called);
    return { command: "npx vitest run", file };
  }
  if (JEST_WORKER_ID !== undefined) {
    const modules = "--experimental-vm-modules";
    return {
      command: `${NODE_OPTIONS.includes(modules) ? `NODE_OPTIONS=${modules} ` : ""}npx jest`,
      file: callerFile(called),
    };
  }
  const main = process.argv[1];
  if (main === undefined || /[/\\](?:colos|bin\.js)$/.test(main)) {
    return { command: "npx colos run", file: callerFile(called) };
  }
  return { command: NODE_TEST_CONTEXT === undefined ? "node" : "node --test", file: main };
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** The file of the test that called `simulate`, perhaps through a helper; else whatever file called it. */
function callerFile({ stack = "" }: Error): string | undefined {
  const files = stack.split("\n").slice(2).map(fileOfFrame);
  return files.findLast((file) => file !== undefined && /\.(?:test|spec)\.[cm]?[jt]sx?$/.test(file)) ?? files[0];
}

function fileOfFrame(frame: string): string | undefined {
  const place = /\(?((?:file:\/\/|\/)[^()]+?)(?:\?[^:]*)?:\d+:\d+\)?$/.exec(frame)?.[1];
  return place?.startsWith("file:") === true ? fileURLToPath(place) : place;
}
