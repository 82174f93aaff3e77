/**
 * Campaign: the property of the killed daemon, for as many kills as a person wants, told to that person.
 *
 * @module
 */
import { torture, TortureError, tellTorture } from "colos/testing";
import process from "node:process";
import { parseArgs } from "node:util";
import { findProgram } from "../../system/find-program.ts";
import { heartPlan, heartProperty } from "./heart.ts";
import { daemonProperty, plan } from "./property.ts";
import type { Campaign } from "./system.ts";

/** As long as it takes; a daemon that hangs is told much sooner. */
const workloadMs = 24 * 3_600_000;

/** @returns the exit code */
export async function main(args: readonly string[], dist: URL): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      kills: { type: "string", default: "500" },
      rounds: { type: "string" },
      seed: { type: "string" },
      keep: { type: "string" },
    },
  });
  const programs = {
    redis: findProgram("redis-server"),
    nginx: findProgram("nginx"),
    nats: findProgram("nats-server"),
  };
  const system = { dist, programs, ...(values.keep === undefined ? {} : { keep: values.keep }) };
  const kills = Number(values.kills);
  let seen: Campaign | undefined;
  const progress = (count: number): void => void process.stderr.write(`${count} of ${kills}\r`);
  const isHeart = values.rounds !== undefined;
  const property = isHeart
    ? heartProperty({ ...system, rounds: Number(values.rounds) })
    : daemonProperty({ ...system, kills, progress });
  const { setup } = property;
  const seed = values.seed === undefined ? {} : { seed: Number(values.seed) };
  try {
    const report = await torture(
      { ...property, setup: async (self, world) => (seen = await setup(self, world)) },
      isHeart ? heartPlan : plan(),
      { runs: 1, workloadMs, ...seed },
    );
    process.stdout.write(`${tellTorture(report)}\nseed ${report.seed}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof TortureError)) throw error;
    const how = isHeart ? `--rounds ${values.rounds}` : `--kills ${kills}`;
    process.stdout.write(`${error.message}\nagain: npm run campaign -- ${how} --seed ${error.report.seed}\n`);
    return 1;
  } finally {
    if (seen !== undefined) process.stdout.write(`${figures(seen)}\n`);
  }
}

/** What happened, in figures. */
export function figures({ keeper, client, facts, exits, loads, atEnd }: Campaign): string {
  const { acknowledged, cutOff, cutOffAndDone } = client.counts;
  return [
    `${keeper.deathsCount} kills`,
    `operations: ${acknowledged} acknowledged, ${cutOff} cut off, of which ${cutOffAndDone} were done`,
    `runs: ${facts.starts.size}; exit codes: ${facts.codes.size} chosen, ${exits.exits.size} told`,
    `log lines: ${atEnd.linesCount}`,
    `requests: ${loads.map(({ name, answers }) => `${name} ${answers}`).join(", ")}`,
  ].join("\n");
}
