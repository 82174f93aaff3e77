/**
 * Command exit: ends the commands of a Node that ends without having ended them.
 *
 * Guarantees: when Node exits, and when an OS signal ends it that nobody else listens to, each group gets its stop signal,
 * has `lastWordsMs` to go, and then gets SIGKILL. Node ends as it would have without this: same exit code, same signal.
 * Limits: nothing is ended by SIGKILL of Node, by a native crash, or by the end of a thread that is terminated. Signals
 * are heard on the main thread only.
 *
 * @module
 */
import process from "node:process";
import { isMainThread } from "node:worker_threads";
import type { Milliseconds } from "../base/platform.ts";
import type { CommandGroup } from "./command-group.ts";

/** How long a stop may take while Node ends, in milliseconds; Node does nothing else meanwhile. */
export const lastWordsMs: Milliseconds = 500;
/** Pause between two looks at groups that are ending, in milliseconds. */
const lookEveryMs: Milliseconds = 5;
const endingSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What runs now, with its stop signal. */
const running = new Map<CommandGroup, NodeJS.Signals>();

/** Ends `group` with this Node, until the returned function is called. */
export function endWithNode(group: CommandGroup, stopSignal: NodeJS.Signals): () => void {
  if (running.size === 0) listen();
  running.set(group, stopSignal);
  return () => {
    if (running.delete(group) && running.size === 0) stopListening();
  };
}

function listen(): void {
  process.on("exit", endAll);
  if (isMainThread) for (const name of endingSignals) process.on(name, endBySignal);
}

function stopListening(): void {
  process.off("exit", endAll);
  if (isMainThread) for (const name of endingSignals) process.off(name, endBySignal);
}

/** Another listener decides for itself what the signal means; should it end Node, `exit` comes. */
function endBySignal(name: NodeJS.Signals): void {
  if (process.listenerCount(name) > 1) return;
  endAll();
  stopListening();
  process.kill(process.pid, name);
}

/** Without a turn of the event loop, in which a supervisor would start again what ends here. */
function endAll(): void {
  for (const [group, stopSignal] of running) {
    group.signal(stopSignal);
    group.signal("SIGCONT");
  }
  const deadlineMs = performance.now() + lastWordsMs;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const groups = [...running.keys()];
  while (groups.some((group) => group.hasLivingMember()) && performance.now() < deadlineMs) {
    Atomics.wait(pause, 0, 0, lookEveryMs);
  }
  for (const group of groups) group.signal("SIGKILL");
  running.clear();
}
