/**
 * Sim: whole systems on a virtual clock, under a seeded scheduler, with faults that are choices. The engine, without a host;
 * `colos/testing` gives it one.
 *
 * @module
 */
export { runCampaign, type CampaignHost, type Counterexample, type Report } from "./campaign.ts";
export { CampaignError } from "./campaign-check.ts";
export { FixedChoices, SeededChoices, type Choice, type Choices, type Stream } from "./choices.ts";
export { faults, type FaultLayer, type FaultName, type FaultSource } from "../faults/fault.ts";
export type { SimulatedHost, StoryLine } from "./host.ts";
export { EscapedError, RestlessError, type MachineHost } from "./machine.ts";
export {
  impossible,
  Impossible,
  type Budget,
  type CampaignOptions,
  type Eventually,
  type Model,
  type Plan,
  type PlannedFault,
  type ProcessView,
  type Property,
  type RunEvent,
  type Scheduler,
  type SeenSignal,
  type Verdict,
  type View,
  type World,
} from "./property.ts";
export { canBePlanned, strikesByItself } from "./nemesis.ts";
export { formatReplay, parseReplay, type Replay } from "./replay.ts";
export type { RunFailure } from "./run.ts";
export {
  anyPortMin,
  silenceMaxMsDefault,
  SimNetwork,
  socketsMaxDefault,
  type NetworkFault,
  type SimNetworkOptions,
} from "./sim-network.ts";
export { tellFailure, tellReplay, tellReport, tellWeak } from "./story.ts";
export { clockChangesMax, WallClock, wallMaxMs, type ClockChange } from "./wall-clock.ts";
