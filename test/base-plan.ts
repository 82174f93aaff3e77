/**
 * Base plan: a service of which nothing is said, to be changed by a test. Its delays are exact: there is no jitter.
 *
 * @module
 */
import type { ServicePlan } from "../src/control/config.ts";
import { serviceDefaults } from "../src/control/service-plan.ts";

export const basePlan: ServicePlan = {
  ...serviceDefaults,
  name: "web",
  run: { kind: "command", command: ["true"] },
  carrier: "command",
  autostart: true,
  env: {},
  envFiles: [],
  secrets: {},
  cwd: "/",
  stdin: "null",
  shutdown: 5000,
  ready: { kind: "none" },
  dependsOn: [],
  limits: {},
  backoff: { ...serviceDefaults.backoff, jitter: 0 },
};
