/**
 * Campaign: a property of colos itself with the plan of what fails, as tests, the mutants' runner and benchmarks use it.
 *
 * The system of each property carries an `Oracle`: what its processes see to be wrong, at the moment they see it. So a check
 * can stand where the knowledge is, in the body of a process, and the run fails with the first of them.
 *
 * @module
 */
import type { Report } from "../../src/sim/campaign.ts";
import type { CampaignOptions, Plan, Property, View } from "../../src/sim/property.ts";
import { PropertyError, simulate } from "../../src/testing/simulate.ts";
import { auditLeftovers } from "./leftovers.ts";

/** What the processes of a run have found wrong. */
export class Oracle {
  readonly problems: string[] = [];

  /** Notes a problem unless `holds`. */
  expect(holds: boolean, problem: string): void {
    if (!holds) this.problems.push(problem);
  }

  fail(problem: string): void {
    this.problems.push(problem);
  }
}

/** A system that knows what went wrong in it. */
export interface Judged {
  readonly oracle: Oracle;
}

/** A property ready to be run. */
export interface Campaign {
  readonly name: string;
  /** Rejects when the property does not hold. */
  check(options: CampaignOptions): Promise<Report>;
  /** Gives the report also of a campaign that failed. */
  report(options: CampaignOptions): Promise<Report>;
}

/** Adds what holds in every campaign: no process found anything wrong, and in the end nothing is left over. */
export function campaign<System extends Judged>(property: Property<System>, plan: Plan): Campaign {
  const full: Property<System> = {
    ...property,
    always: {
      ...property.always,
      "what each process sees is right": ({ oracle }: System) => oracle.problems[0] ?? true,
    },
    eventually: {
      ...property.eventually,
      "nothing is left over": { withinMs: 10_000, holds: (_system: System, world: View) => auditLeftovers(world) },
    },
  };
  // A small campaign does not reach everything, and must not fail for that.
  const check = (options: CampaignOptions): Promise<Report> => simulate(full, plan, { ...options, allowWeak: true });
  const report = async (options: CampaignOptions): Promise<Report> => {
    try {
      return await check(options);
    } catch (thrown) {
      if (thrown instanceof PropertyError) return thrown.report;
      throw thrown;
    }
  };
  return { name: property.name, check, report };
}
