/**
 * Child: what runs in an OS process of its own for one mutant. Its bundle has the defect in it.
 *
 * All campaigns take turns, some seeds each, until one of them fails or the CPU time is used up. Prints one line of JSON.
 *
 * @module
 */
import process from "node:process";
import { campaigns } from "../sim/campaigns.ts";

/** Seeds of one campaign before the next one has its turn. */
const seedsPerTurn = 40;
/** Events after which a run counts as one that never rests. */
const eventsMax = 200_000;
/** CPU seconds that shrinking may take. */
const shrinkCpuSeconds = 10;

/** What became of one mutant. */
export interface Finding {
  readonly found: boolean;
  /** The campaign and the check that failed, and what it said. */
  readonly by?: string;
  readonly message?: string;
  readonly seed?: number | undefined;
  /** Of the search, without shrinking. */
  readonly cpuSeconds: number;
  readonly eventsCount: number;
  readonly choicesFoundCount?: number;
  readonly choicesCount?: number;
  readonly shrinkCpuSeconds?: number;
  readonly replay?: string;
}

function cpuSecondsUsed(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function search(cpuSecondsMax: number): Promise<Finding> {
  let eventsCount = 0;
  for (let seed = 1; ; seed += seedsPerTurn) {
    for (const campaign of campaigns) {
      const cpuSeconds = cpuSecondsMax - cpuSecondsUsed();
      if (cpuSeconds <= 0) return { found: false, cpuSeconds: cpuSecondsUsed(), eventsCount };
      const options = { seed, runs: seedsPerTurn, cpuSeconds, selfCheckEvery: 0, eventsMax, shrinkCpuSeconds };
      let report: Awaited<ReturnType<typeof campaign.report>>;
      try {
        report = await campaign.report(options);
      } catch (thrown) {
        const message = thrown instanceof Error ? thrown.message : String(thrown);
        return { found: true, by: campaign.name, message, cpuSeconds: cpuSecondsUsed(), eventsCount };
      }
      eventsCount += report.eventsCount;
      const { failure } = report;
      if (failure === undefined) continue;
      return {
        found: true,
        by: campaign.name,
        message: `${failure.check}: ${failure.message}`,
        seed: failure.seed,
        cpuSeconds: cpuSecondsUsed() - failure.shrinkCpuMs / 1000,
        eventsCount,
        choicesFoundCount: failure.choicesFoundCount,
        choicesCount: failure.choices.length,
        shrinkCpuSeconds: failure.shrinkCpuMs / 1000,
        replay: failure.replay,
      };
    }
  }
}

process.stdout.write(`${JSON.stringify(await search(Number(process.argv[2])))}\n`);
