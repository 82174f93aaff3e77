/**
 * Main: the `colos` command, from the words that were typed to the exit code (exit-codes.ts).
 *
 * Guarantees: what was asked for goes to stdout, colos's own problems go to stderr. With `run`, stdout and stderr belong
 * to the program. Wrong usage is told before anything happens.
 * Not here: the process; the composition root calls `runCli`, sets the exit code and lets output drain.
 *
 * @module
 */
import { suggestionClause } from "../base/suggestion.ts";
import { elsewhereClause } from "./elsewhere.ts";
import { exitCodes } from "./exit-codes.ts";
import type { CliHost } from "./host.ts";
import { plainText } from "./text.ts";
import { helpOption, type Verb } from "./verb.ts";
import { type VerbEntry, verbs } from "./verbs.ts";
import { helpColumns, optionLines, type Options, quoted, readWords, wrapped, WrongUsage } from "./words.ts";

/** Does what `argv` (the words after `colos`) says. Settles with the exit code; never rejects for what a person did. */
export async function runCli(argv: readonly string[], host: CliHost): Promise<number> {
  // Without a listener a reader that goes away would end colos, and leave services behind.
  host.stdout.on("error", () => {});
  host.stderr.on("error", () => {});
  try {
    return await dispatch(argv, host);
  } catch (error) {
    if (!(error instanceof WrongUsage)) throw error;
    host.stderr.write(`${plainText(error.message)}\n`);
    return exitCodes.usage;
  }
}

const globalOptions: Options = { help: helpOption, version: { help: "show the version", short: "V" } };

/** The options of every verb that may stand before it too. */
const leading = /^(?:--home|--json|--quiet|-q|--home=.*)$/s;

/** The words with the options that stand before the verb behind it. */
function verbFirst(argv: readonly string[]): readonly string[] {
  let count = 0;
  while (leading.test(argv[count] ?? "")) count += argv[count] === "--home" ? 2 : 1;
  const verb = argv[count];
  return verb === undefined || verb.startsWith("-") ? argv : [verb, ...argv.slice(0, count), ...argv.slice(count + 1)];
}

async function dispatch(argv: readonly string[], host: CliHost): Promise<number> {
  const [first, ...rest] = verbFirst(argv);
  if (first === undefined) {
    host.stderr.write(helpText());
    return exitCodes.usage;
  }
  if (first.startsWith("-")) return global(argv, host);
  if (first === "help") return help(rest[0], host);
  const entry = entryNamed(first);
  const verb = await entry.load();
  const words = readWords(`colos ${first}`, rest, verb.options, { optionsFirst: verb.optionsFirst === true });
  return words.has("help") ? help(first, host) : verb.run(words, host);
}

function global(argv: readonly string[], host: CliHost): number {
  const words = readWords("colos", argv, globalOptions, { optionsFirst: true });
  if (words.has("help")) host.stdout.write(helpText());
  else if (words.has("version")) host.stdout.write(`colos ${host.version}\n`);
  else throw new WrongUsage("colos: a verb is missing; colos --help lists them");
  return exitCodes.ok;
}

async function help(name: string | undefined, host: CliHost): Promise<number> {
  if (name === undefined) host.stdout.write(helpText());
  else {
    const entry = entryNamed(name);
    host.stdout.write(verbHelp(entry, await entry.load()));
  }
  return exitCodes.ok;
}

/** @throws WrongUsage with the verb that was probably meant */
function entryNamed(name: string): VerbEntry {
  const entry = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (entry !== undefined) return entry;
  const isProgram = /\.[cm]?[jt]s$/.test(name);
  const clause = isProgram
    ? `; did you mean colos run ${name}?`
    : (elsewhereClause(name) ?? suggestionClause(name, Object.keys(verbs)));
  throw new WrongUsage(`colos: ${quoted(name)} is not a verb${clause || "; colos --help lists them"}`);
}

function helpText(): string {
  const width = Math.max(...Object.keys(verbs).map(({ length }) => length));
  const lines = Object.entries(verbs).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  const options = optionLines(globalOptions);
  return `colos: a program, process and service manager\n\n${lines.join("\n")}\n\n${options}\n\ncolos <verb> --help tells more.\n`;
}

function verbHelp({ usage, summary }: VerbEntry, { notes, options }: Verb): string {
  const paragraph = notes.length === 0 ? "" : `${notes.flatMap((note) => wrapped(note, helpColumns)).join("\n")}\n\n`;
  return `${usage}\n    ${summary}\n\n${paragraph}${optionLines(options)}\n`;
}
