/**
 * Own environment: what the daemon, its heart and its recorder get of the environment of whoever starts them.
 *
 * Guarantees: a `colos up` that is typed inside a service, or started by a service manager, hands on nothing that was meant for
 * that one OS process: the mark of its run, sockets that were passed to it, whom it is to tell that it is ready.
 *
 * @module
 */
import process from "node:process";
import { runVariable, servicePathVariable } from "../run/shim-script.ts";

/** What was meant for one OS process alone: sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3), systemd.exec(5), Node's IPC. */
export const personalVariables: readonly string[] = [
  runVariable,
  servicePathVariable,
  "LISTEN_FDS",
  "LISTEN_PID",
  "LISTEN_FDNAMES",
  "NOTIFY_SOCKET",
  "WATCHDOG_PID",
  "WATCHDOG_USEC",
  "INVOCATION_ID",
  "JOURNAL_STREAM",
  // What a person has Node load is meant for their programs, which get it with their environment.
  "NODE_OPTIONS",
  "NODE_CHANNEL_FD",
  "NODE_CHANNEL_SERIALIZATION_MODE",
];

/** The environment without them. */
export function ownEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !personalVariables.includes(name)));
}
