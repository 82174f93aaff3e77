/**
 * Statement: one sentence about processes, links, monitors, servers or supervisors that holds on Erlang/OTP, and its proof on
 * colos, on whichever carrier the processes under test run.
 *
 * @module
 */
import type { Ground } from "./ground.ts";

/** The carriers that host processes of ours; a command has its own contract. */
export const conformanceCarriers = ["coroutine", "thread", "os-process"] as const;
export type ConformanceCarrier = (typeof conformanceCarriers)[number];

export interface Statement {
  /** The id on the conformance page: `P1` … `S56`. */
  readonly id: string;
  readonly sentence: string;
  /** Why it cannot hold on a carrier, one sentence; it is not run there. */
  readonly except?: Readonly<Partial<Record<ConformanceCarrier, string>>>;
  /** Where colos differs on purpose although the statement holds, one sentence. */
  readonly difference?: string;
  /** Throws when the statement does not hold. */
  prove(ground: Ground): void | Promise<void>;
}
