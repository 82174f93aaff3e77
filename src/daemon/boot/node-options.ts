/**
 * Node options of the daemon: how its Node.js is started.
 *
 * A daemon is at rest most of its life: code that is optimized late, if ever, and a small heap halve its private memory after 150 lists
 * of 50 services (22 to 11 MB), at no more CPU time. While its control socket is under attack it becomes quick: code that is never
 * optimized would keep everybody waiting three times as long on Node 20.
 *
 * @module
 */

import process from "node:process";

/** From here on V8 has a compiler between the quick and the optimizing one, and no such budget. */
const isWithMaglev = Number(process.versions.node.split(".")[0]) >= 22;

/** For `node`, before the daemon's file. */
export const daemonNodeOptions: readonly string[] = [
  // Ten times V8's own: how much code runs before it is optimized.
  isWithMaglev ? "--no-opt" : "--interrupt-budget=1320000",
  "--sparkplug",
  "--max-lazy",
  "--optimize-for-size",
  "--max-semi-space-size=1",
];
