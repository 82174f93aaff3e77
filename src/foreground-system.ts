/**
 * Foreground system: joins a kernel, the host and the manager of services for a system that ends with this OS process.
 *
 * @module
 */
import type { StartOptions } from "./cli/host.ts";
import type { SystemPlan } from "./control/config.ts";
import type { RunningSystem } from "./control/service.ts";
import { startForeground } from "./daemon/foreground/foreground.ts";
import { createSystem } from "./node-system.ts";
import { nodePlatform } from "./platforms/node/node-platform.ts";
import { captureOwnOutput } from "./platforms/node/own-output.ts";

/** Starts a system; the output of everything but a face is captured. */
export function startForegroundSystem(
  plan: SystemPlan,
  { passthrough }: StartOptions,
): RunningSystem | Promise<RunningSystem> {
  // What the system has to say goes where its services' output goes, so that a live view keeps the screen to itself.
  const platform = nodePlatform({ writeLine: (line) => void process.stderr.write(`${line}\n`) });
  return startForeground(createSystem({ platform }).kernel, plan, { passthrough, captureOwnOutput });
}
