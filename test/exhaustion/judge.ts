/**
 * Judge: what was lost, and what was not said.
 *
 * @module
 */
import { nodeClock } from "../../src/platforms/node/node-clock.ts";
import { readLogs } from "../../src/daemon/log/read-logs.ts";
import { codeOf, loggersCount } from "./fleet.ts";
import type { System } from "./system.ts";
import type { Memory, Watcher } from "./watcher.ts";

/** How much the daemon, or the recorder, may grow in the last two thirds of the shortage, in bytes. */
export const growthBytesMax: number = 12 * 1024 * 1024;

interface Judgement {
  readonly count: number;
  readonly problems: readonly string[];
}

/** Each line that a logger wrote must be in its log once and in order. */
export async function lineProblems(system: System): Promise<Judgement> {
  const wrote = new Map(
    system.told().flatMap(([what, run, count]) => (what === "wrote" ? [[run!, Number(count)]] : [])),
  );
  const problems: string[] = [];
  if (wrote.size < loggersCount) problems.push(`${wrote.size} of ${loggersCount} loggers said how much they wrote`);
  const last = new Map<string, number>();
  let count = 0;
  for await (const { text, stream } of readLogs(system.home, [{ service: "logger" }], {}, { clock: nodeClock })) {
    const [run = "", number = ""] = text.split(" ");
    const key = `${run} ${stream}`;
    const expected = (last.get(key) ?? 0) + 1;
    if (Number(number) !== expected) problems.push(`${key}: line ${number} where ${expected} is due`);
    last.set(key, Number(number));
    count += 1;
  }
  for (const [run, number] of wrote) {
    for (const stream of ["stdout", "stderr"]) {
      const found = last.get(`${run} ${stream}`) ?? 0;
      if (found !== number) problems.push(`${run} wrote ${number} lines to ${stream}, and ${found} are there`);
    }
  }
  return { count, problems: problems.slice(0, 10) };
}

/** Each exit code that was told is the one that was chosen, and each that was chosen is told. */
export function exitProblems(system: System, { exits }: Watcher): Judgement {
  const chosen = new Map(system.told().flatMap(([what, run, code]) => (what === "code" ? [[run!, Number(code)]] : [])));
  const problems: string[] = [];
  for (const [run, code] of chosen) {
    if (!exits.has(run)) problems.push(`${run} ended with ${code}, and nobody knows how`);
    else if (exits.get(run) !== code || code !== codeOf(run))
      problems.push(`${run} ended with ${code}, and ${exits.get(run)} was told`);
  }
  return { count: chosen.size, problems: problems.slice(0, 10) };
}

/** Where a person looks, the shortage is named. */
export function wordProblems(says: RegExp | undefined, { alarms, texts }: Watcher): readonly string[] {
  if (says === undefined) return [];
  if (![...alarms].some((alarm) => says.test(alarm))) return [`no alarm says ${says}: ${[...alarms].join("; ")}`];
  if (texts === undefined) return ["ps never showed an alarm to a person"];
  return Object.entries(texts).flatMap(([verb, text]) =>
    says.test(text) ? [] : [`${verb} does not say ${says}: ${text}`],
  );
}

/** From the end of the first third on, when whatever is loaded once is loaded. */
export function memoryProblems(memory: readonly Memory[]): readonly string[] {
  const settled = memory.slice(Math.floor(memory.length / 3));
  const [first, last] = [settled[0], settled.at(-1)];
  if (first === undefined || last === undefined) return [];
  const grown = { daemon: last.daemonBytes - first.daemonBytes, recorder: last.recorderBytes - first.recorderBytes };
  return Object.entries(grown).flatMap(([who, bytes]) =>
    bytes <= growthBytesMax ? [] : [`the ${who} has grown by ${Math.round(bytes / 2 ** 20)} MiB`],
  );
}
