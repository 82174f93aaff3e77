/**
 * Plain host: what a campaign needs of the host, without what `simulate` adds for users: no globals are sealed, and errors that
 * nobody awaited are the test framework's.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { CampaignHost } from "../src/sim/campaign.ts";

export const plainHost: CampaignHost = {
  cpuMs: () => process.cpuUsage().user / 1000,
  takeStrays: () => [],
  load: () => Promise.reject(new Error("there are no modules here")),
  drain: () => new Promise((resolve) => void setImmediate(resolve)),
  inside: (run) => run(),
};
