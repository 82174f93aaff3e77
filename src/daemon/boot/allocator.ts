/**
 * Allocator: how the C library gives the daemon memory, and takes it back.
 *
 * glibc, mallopt(3), keeps an arena for each thread, and what was freed in between for later; 100,000 requests to the
 * control socket, many of them large, leave 23 MB so, and 9 with these settings (of which 5 are pages of Node.js's executable), for some 5 % more CPU
 * time under such an attack. Another C library does not read them.
 *
 * Guarantee: what the daemon starts does not have them. Who has settings of their own keeps those, and the daemon runs with them.
 *
 * @module
 */
import process from "node:process";

const variable = "GLIBC_TUNABLES";
/** In bytes, where it is no count. */
const settings = {
  arena_max: 1,
  /** What is larger, such as what Node.js reads at once (64 KiB), is given back as soon as it is free. */
  mmap_threshold: 8_192,
  trim_threshold: 16_384,
  top_pad: 4_096,
};
const value = Object.entries(settings)
  .map(([name, number]) => `glibc.malloc.${name}=${number}`)
  .join(":");

/** The environment that an OS process is to be started with, so that it or what it starts becomes a daemon. */
export function withAllocator(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { [variable]: value, ...env };
}

/** Called by the daemon before anything is started: the C library has read its settings by now. */
export function forgetAllocator(env: NodeJS.ProcessEnv = process.env): void {
  if (env[variable] === value) delete env[variable];
}
