/**
 * Double runs: every campaign, every seed twice, and one digest of all that happened; see `determinism.mjs`.
 *
 * @module
 */
import process from "node:process";
import { campaigns } from "./campaigns.ts";

const runsCount = Number(process.argv[2]);
const digests: string[] = [];
const failures: string[] = [];
let doubleRunsCount = 0;
let eventsCount = 0;
for (const campaign of campaigns) {
  const runs = Math.ceil(runsCount / campaigns.length);
  const report = await campaign.report({ runs, selfCheckEvery: 1 });
  digests.push(report.digest);
  doubleRunsCount += report.selfChecksCount;
  eventsCount += report.eventsCount;
  if (report.failure !== undefined) failures.push(`${campaign.name}: ${report.failure.message}`);
}
const result = { node: process.version, doubleRunsCount, eventsCount, digest: digests.join("-"), failures };
process.stdout.write(`${JSON.stringify(result)}\n`);
