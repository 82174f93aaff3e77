/**
 * Call: one use of a verb that asks the manager: where it asks, and how it answers the person.
 *
 * Guarantees: with `--json` stdout holds JSON only, one value per line; with `--quiet` no text at all but what the verb is
 * for. What goes wrong is a sentence on stderr, with what to do; with `--json` also `{"error": …}` on stdout. Everything
 * that was typed is understood before the daemon is asked. That the daemon does not answer is told while it is waited for, where a
 * person reads stderr: on a terminal, and nowhere else, so what programs read stays as it is.
 *
 * @module
 */
import { DaemonAbsentError } from "../control/manager-client.ts";
import type { Manager } from "../control/manager.ts";
import { spanText } from "../control/quantity.ts";
import { wantsColour } from "./colour.ts";
import { signalExitCode } from "./exit-codes.ts";
import { type Failure, failureOf } from "./failure.ts";
import { homeBytesMax, homeFolder } from "./home.ts";
import { clockText } from "./figures.ts";
import type { CliHost, Silence } from "./host.ts";
import { Interrupted } from "./interrupt.ts";
import { plainText } from "./text.ts";
import { helpOption, type Verb } from "./verb.ts";
import { type Options, WrongUsage, type Words } from "./words.ts";

/** The options of every verb that asks the manager. */
export const commonOptions: Options = {
  home: { value: "<folder>", help: "the home of the system (default: COLOS_HOME, or that of the user)" },
  json: { help: "answer in JSON, for programs" },
  quiet: { help: "say nothing but what is asked for, and what goes wrong", short: "q" },
  help: helpOption,
};

/** A verb that asks the manager. */
export interface ManagerVerb<Input> {
  readonly notes?: readonly string[];
  /** Besides `commonOptions`. */
  readonly options?: Options;
  /** What the words mean. @throws WrongUsage */
  read(words: Words): Input;
  /** Asks, and tells. Settles with the exit code; may reject with what the manager rejects with. */
  run(input: Input, call: Call): Promise<number>;
}

/** One use of a verb. */
export class Call {
  readonly host: CliHost;
  /** Absolute. */
  readonly home: string;
  /** `start`, for a line that says who speaks. */
  readonly verb: string;
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  /** Whether stdout is coloured. */
  readonly colour: boolean;
  /** Says something that is no answer; whoever draws on the terminal says it there. */
  aside: (text: string) => void = (text) => this.complain(text);
  #manager: Promise<Manager> | undefined;

  constructor(words: Words, host: CliHost) {
    this.host = host;
    this.home = homeFolder(words.last("home"), host);
    if (Buffer.byteLength(this.home) > homeBytesMax) {
      throw words.wrong(
        `the home ${this.home} is longer than ${homeBytesMax} bytes, too long for sockets; name a shorter one`,
      );
    }
    this.verb = words.command.replace(/^colos /, "");
    this.isJson = words.has("json");
    this.isQuiet = words.has("quiet");
    this.colour = wantsColour(host.env, host.stdout.isTTY === true);
  }

  /** Columns of the terminal; Infinity when stdout is none. */
  get columns(): number {
    const { isTTY, columns } = this.host.stdout;
    return isTTY === true ? columns || columnsDefault : Infinity;
  }

  /** Whether lines may be redrawn in place. */
  get isLive(): boolean {
    return this.host.stdout.isTTY === true && this.host.env["TERM"] !== "dumb";
  }

  /** Whether text is wanted besides what the verb is for. */
  get isTalking(): boolean {
    return !this.isJson && !this.isQuiet;
  }

  /** The manager of the home; asked for once. */
  connect(): Promise<Manager> {
    const isSeen = this.host.stderr.isTTY === true;
    const silent = (silence: Silence): void => this.aside(`colos: ${silenceText(silence)}`);
    this.#manager ??= this.host.connect(this.home, isSeen ? silent : undefined);
    return this.#manager;
  }

  /** Writes lines to stdout. */
  print(lines: readonly string[]): void {
    if (lines.length > 0) this.host.stdout.write(`${lines.join("\n")}\n`);
  }

  /** Writes a value as a line of JSON to stdout. */
  json(value: unknown): void {
    this.host.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** Says something on stderr; the text cannot do anything to a terminal. */
  complain(text: string): void {
    this.host.stderr.write(`${plainText(text)}\n`);
  }
}

function silenceText({ sinceAt, isWatched, silenceMaxMs }: Silence): string {
  const who = `the daemon has not answered since ${clockText(sinceAt)}, and is waited for`;
  return isWatched
    ? `${who}; its heart puts another in its place when it says nothing for ${spanText(silenceMaxMs)}`
    : `${who}; no heart watches over it: whoever stopped it goes on with it, or ends it (kill -9), and then types colos up`;
}

/** What is assumed of a terminal that does not tell its size. */
export const columnsDefault = 80;

/** Makes a verb of what it reads and does. */
export function managerVerb<Input>({ notes = [], options = {}, read, run }: ManagerVerb<Input>): Verb {
  return {
    notes,
    options: { ...options, ...commonOptions },
    run: async (words, host) => {
      const call = new Call(words, host);
      const input = read(words);
      try {
        return await run(input, call);
      } catch (error) {
        if (error instanceof WrongUsage) throw error;
        return report(await failure(error, call), call);
      }
    },
  };
}

async function failure(error: unknown, call: Call): Promise<Failure> {
  if (error instanceof Interrupted) {
    const message = "no longer waited for; it goes on";
    return { exitCode: signalExitCode(error.signal), code: "interrupted", message };
  }
  const isAbsent = error instanceof DaemonAbsentError;
  return failureOf(error, call.home, isAbsent ? await call.host.runningCount(call.home) : 0);
}

function report({ exitCode, code, message, advice, lines = [] }: Failure, call: Call): number {
  const whole = [message, ...lines].join("\n");
  if (call.isJson) call.json({ error: { code, message: whole, ...(advice === undefined ? {} : { advice }) } });
  call.complain(`colos: ${message}`);
  for (const line of lines) call.complain(line);
  if (advice !== undefined) call.complain(`  ${advice}`);
  return exitCode;
}
