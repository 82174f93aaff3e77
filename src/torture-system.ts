/**
 * Torture system: what a property runs in when it runs for real.
 *
 * @module
 */
import { createSystem } from "./node-system.ts";
import { nodeFileSystem } from "./platforms/node/node-file-system.ts";
import { nodeNetwork } from "./platforms/node/node-network.ts";
import type { RealSystem } from "./testing/property-run.ts";

/** A kernel with all carriers, the files below a directory, and the host's network. */
export function tortureSystem(directory: string): RealSystem {
  return { kernel: createSystem().kernel, files: nodeFileSystem(directory), network: nodeNetwork() };
}
