/**
 * Testing entry: what `colos/testing` is: the contract suites and the failure testing of `testing/`, tied to colos as a
 * whole where it runs for real.
 *
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plan, Property } from "./sim/property.ts";
import { ColosUp, type ColosUpOptions } from "./testing/colos-up.ts";
import type { PropertyFile } from "./testing/system-process.ts";
import type { TortureReport } from "./testing/torture-report.ts";
import { tortureOn, type TortureOptions } from "./testing/torture.ts";
import { tortureSystem } from "./torture-system.ts";

export * from "./testing/index.ts";

/**
 * Runs `property` against the real operating system under `plan`. As an object its system runs here; as a file
 * (`propertyFile`) in an OS process of its own, which can also be killed, and struck from outside.
 * @throws TortureError when it does not hold or is weak; CampaignError for bad use.
 */
export function torture<System>(
  property: Property<System> | PropertyFile,
  plan: Plan = {},
  options: TortureOptions = {},
): Promise<TortureReport> {
  const host = {
    createSystem: tortureSystem,
    entry: new URL("./torture-entry.js", import.meta.url),
  };
  return tortureOn(host, property, plan, options);
}

/** Starts a real `colos up --foreground` with the config in a file, to be a property's system; end it with `end`. */
export function colosUp(config: string, options: ColosUpOptions = {}): Promise<ColosUp> {
  return ColosUp.start(fileURLToPath(new URL("./bin.js", import.meta.url)), resolve(config), options);
}
