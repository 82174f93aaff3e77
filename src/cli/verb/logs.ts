/**
 * `colos logs`: what services wrote, and with -f what they write, across restarts. Needs no daemon, unless a tag is named or a log is to
 * be emptied.
 *
 * Not here: reading and filtering (the host's `readLogs`).
 *
 * @module
 */
import { findSuggestion } from "../../base/suggestion.ts";
import type { LogQuery, LogSelection } from "../../control/log.ts";
import { ManagerError } from "../../control/manager.ts";
import { parseSelector, selects, type Selector, servicesOf } from "../../control/selector.ts";
import { type Call, managerVerb } from "../call.ts";
import { clearLogs, clearOptions, readClearing } from "../clear-logs.ts";
import { durationMs } from "../duration.ts";
import { exitCodes } from "../exit-codes.ts";
import { logLine } from "../log-lines.ts";
import { namesNote, readAbout } from "../names.ts";
import { streamLines } from "../stream-lines.ts";
import type { Verb } from "../verb.ts";
import { quoted, type Words } from "../words.ts";

/** Lines of each instance that -f begins with. */
export const linesBeforeFollow = 10;
/** Lines that can be asked for with -n. */
export const linesMaxMax = 1_000_000_000;

const levels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

export const logs: Verb = managerVerb({
  notes: [
    "Without [name…], of all services. Needs no daemon, but for tags and --clear.",
    namesNote,
    `-f begins with the last ${linesBeforeFollow} lines of each instance, unless -n or --since says otherwise.`,
    "With --quiet, the text alone.",
    "--clear is carried out by who writes the logs, so what a service writes meanwhile is kept.",
  ],
  options: {
    follow: { help: "go on with what is written from now on; Ctrl+C ends it", short: "f" },
    lines: { value: "<number>", help: "only the last so many lines of each instance", short: "n" },
    since: { value: "<time>", help: "from then on: 10m (ago), 2026-01-31 or 2026-01-31T23:05" },
    until: { value: "<time>", help: "up to then" },
    level: { value: levels.join("|"), help: "lines of this level or worse" },
    grep: { value: "<text>", help: "lines with this text, or that match /expression/flags" },
    stderr: { help: "only what was written to stderr" },
    time: { help: "show when", short: "t" },
    ...clearOptions,
  },
  read: (words) => {
    const { names } = readAbout(words);
    const isGone = words.has("gone");
    if (isGone && names !== undefined) throw words.wrong("--gone is about all that are gone; leave the names out");
    const clearing = readClearing(names, isGone, words);
    return { names, isGone, clearing, query: readQuery(words), showsTime: words.has("time") };
  },
  run: async ({ names = ["all"], isGone, clearing, query, showsTime }, call) => {
    if (clearing !== undefined) return clearLogs(clearing, call);
    const services = (await call.host.loggedServices(call.home)).toSorted();
    const selection = isGone ? [{ gone: true as const }] : await selectionOf(names, services, call);
    if (services.length === 0 && query.follow !== true && call.isTalking)
      call.complain(`colos: nothing has been written in ${call.home} yet`);
    const entries = call.host.readLogs(call.home, selection, resolved(query, call));
    const line = logLine({ colour: call.colour, services, showsName: !call.isQuiet, showsTime });
    await streamLines(entries, call.isJson ? (entry) => JSON.stringify(entry) : line, call.host);
    return exitCodes.ok;
  },
});

/** A moment: so long ago, or at that time. */
type Moment = { readonly agoMs: number } | { readonly at: number };

interface ReadQuery extends Omit<LogQuery, "sinceAt" | "untilAt"> {
  readonly since?: Moment;
  readonly until?: Moment;
}

function readQuery(words: Words): ReadQuery {
  const follow = words.has("follow");
  const [since, until, grep] = [readMoment("since", words), readMoment("until", words), readGrep(words)];
  const linesMax = readLines(words) ?? (follow && since === undefined ? linesBeforeFollow : undefined);
  const level = words.choice("level", levels);
  return {
    ...(follow ? { follow } : {}),
    ...(linesMax === undefined ? {} : { linesMax }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(grep === undefined ? {} : { grep }),
    ...(level === undefined ? {} : { level }),
    ...(words.has("stderr") ? { stream: "stderr" as const } : {}),
  };
}

function readLines(words: Words): number | undefined {
  const text = words.last("lines");
  if (text === undefined) return undefined;
  const count = /^\d{1,10}$/.test(text) ? Number(text) : Infinity;
  if (count <= linesMaxMax) return count;
  throw words.wrong(`--lines: ${quoted(text)} is not a whole number from 0 to ${linesMaxMax}`);
}

function readMoment(option: string, words: Words): Moment | undefined {
  const text = words.last(option);
  if (text === undefined) return undefined;
  const agoMs = durationMs(text);
  if (agoMs !== undefined) return { agoMs };
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text);
  // A date alone would be UTC; a person means their own midnight.
  const at = match === null ? Number.NaN : Date.parse(`${match[1]}T${match[2] ?? "00:00"}${match[3] ?? ""}`);
  if (!Number.isNaN(at)) return { at };
  throw words.wrong(`--${option}: ${quoted(text)} is not a time such as 10m (ago), 2026-01-31 or 2026-01-31T23:05`);
}

function readGrep(words: Words): string | undefined {
  const text = words.last("grep");
  const match = /^\/(.*)\/([a-z]*)$/s.exec(text ?? "");
  if (match === null) return text;
  try {
    void new RegExp(match[1]!, match[2]);
    return text;
  } catch (error) {
    throw words.wrong(`--grep: ${(error as Error).message}`);
  }
}

function resolved({ since, until, ...query }: ReadQuery, call: Call): LogQuery {
  const now = call.host.clock.wallMs();
  const atOf = (moment: Moment): number => ("at" in moment ? moment.at : now - moment.agoMs);
  return {
    ...query,
    ...(since === undefined ? {} : { sinceAt: atOf(since) }),
    ...(until === undefined ? {} : { untilAt: atOf(until) }),
  };
}

/** @throws ManagerError for what means nobody that ever wrote */
async function selectionOf(names: readonly string[], services: readonly string[], call: Call): Promise<LogSelection[]> {
  const selections: LogSelection[] = [];
  for (const name of names) {
    const selector = parseSelector(name)!;
    if (selector.kind === "all") selections.push({});
    else if (selector.kind === "tag") selections.push(...(await tagged(name, call)));
    else {
      const isThere = services.some((service) => selects(servicesOf(selector), { service, number: 1 }));
      if (!isThere) throw nobody(name, selector, services);
      if (selector.kind === "pattern") selections.push({ pattern: name });
      else selections.push(named(selector));
    }
  }
  return selections;
}

function named({ service, number }: Extract<Selector, { kind: "name" }>): LogSelection {
  return { service, ...(number === undefined ? {} : { instance: number }) };
}

/** Tags stand in the plan, which only the daemon knows. */
async function tagged(name: string, call: Call): Promise<LogSelection[]> {
  const { instances } = await (await call.connect()).list({ names: [name] });
  return [...new Set(instances.map(({ service }) => service))].map((service) => ({ service }));
}

function nobody(name: string, selector: Selector, services: readonly string[]): ManagerError {
  if (selector.kind !== "name") {
    const clause = services.length === 0 ? "" : `; there are those of ${services.join(", ")}`;
    return new ManagerError("unknown", `no service that matches ${quoted(name)} has logs${clause}`);
  }
  const meant = findSuggestion(selector.service, services);
  const advice = meant === undefined ? "colos ps lists the services" : `Did you mean ${meant}?`;
  return new ManagerError("unknown", `no service ${quoted(selector.service)} has logs`, advice);
}
