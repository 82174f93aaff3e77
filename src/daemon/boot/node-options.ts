/**
 * Node options of the daemon: how its Node.js is started.
 *
 * A daemon is at rest most of its life: code that is never optimized and a small heap halve its private memory after 150 lists
 * of 50 services (22 to 11 MB), at no more CPU time. Compiling without optimizing keeps it quick while its control socket is under
 * attack: without it a request takes a quarter more, and one of the largest bodies alone holds up everybody for 370 ms.
 *
 * @module
 */

/** For `node`, before the daemon's file. */
export const daemonNodeOptions: readonly string[] = [
  "--no-opt",
  "--sparkplug",
  "--max-lazy",
  "--optimize-for-size",
  "--max-semi-space-size=1",
];
