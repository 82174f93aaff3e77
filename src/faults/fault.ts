/**
 * Fault: the catalogue of what can be made to go wrong on purpose, and the question that a faulty part asks.
 *
 * Guarantees: every fault has one name, used by plans, stories, injectors and documentation alike, and says what it does in
 * one sentence; a part that can fail asks `FaultSource.strikes` at each place where it could, and does nothing else about
 * when and how often: that is the plan's.
 * Not here: when faults happen (sim/), how they are done to a real machine (testing/).
 *
 * @module
 */

/** Where a fault strikes; a plan's fault needs a system that has such a thing. */
export type FaultLayer = "process" | "carrier" | "system" | "clock" | "storage" | "spawn" | "network";

interface FaultFacts {
  readonly layer: FaultLayer;
  /** What happens, in one sentence. */
  readonly does: string;
}

/** The name of a fault, as a plan gives it. */
export type FaultName =
  | "kill"
  | "crash"
  | "crash-in-init"
  | "hang"
  | "slow"
  | "delay"
  | "reorder"
  | "carrier-loss"
  | "partition"
  | "stop"
  | "oom-kill"
  | "kill-system"
  | "power-loss"
  | "clock-step"
  | "suspend"
  | "enospc"
  | "eio-read"
  | "eio-write"
  | "eio-fsync-once"
  | "short-write"
  | "torn-write"
  | "reordered-write"
  | "bit-flip"
  | "erofs"
  | "slow-disk"
  | "emfile"
  | "eagain-spawn"
  | "enomem-spawn"
  | "net-down"
  | "reset"
  | "blackhole"
  | "slow-network"
  | "port-in-use"
  | "dns-failure";

/** All faults. The order is that of the documentation. */
export const faults: Readonly<Record<FaultName, FaultFacts>> = {
  kill: { layer: "process", does: "a process is ended with `kill`" },
  crash: { layer: "process", does: "a process ends with an error that nobody expected" },
  "crash-in-init": { layer: "process", does: "a process ends before its body or `init` has run" },
  hang: { layer: "process", does: "a process gets no turn any more, until somebody ends it" },
  slow: { layer: "process", does: "the next turn of a process comes seconds late" },
  delay: { layer: "carrier", does: "signals between two kernels take longer, their order per pair kept" },
  reorder: { layer: "carrier", does: "a signal between two kernels waits while those between others overtake it" },
  "carrier-loss": { layer: "carrier", does: "a carrier is gone with all processes on it" },
  partition: { layer: "carrier", does: "signals between two kernels stop for a time" },
  stop: { layer: "carrier", does: "a carrier stands still for a time and then goes on (SIGSTOP, SIGCONT)" },
  "oom-kill": { layer: "carrier", does: "the operating system ends a carrier because memory is short" },
  "kill-system": {
    layer: "system",
    does: "the OS process that runs everything is ended with SIGKILL and started again",
  },
  "power-loss": {
    layer: "system",
    does: "the machine stops at once; what was not synced may be lost, torn or reordered",
  },
  "clock-step": { layer: "clock", does: "the wall clock jumps; the monotonic one does not" },
  suspend: { layer: "clock", does: "the machine sleeps: everything goes on later at once" },
  enospc: { layer: "storage", does: "a write finds the disk full, and has written a part" },
  "eio-read": { layer: "storage", does: "a read fails with EIO" },
  "eio-write": { layer: "storage", does: "a write fails with EIO" },
  "eio-fsync-once": { layer: "storage", does: "a sync fails with EIO once, and what was not synced is lost" },
  "short-write": { layer: "storage", does: "a write takes only a part of the bytes and says so" },
  "torn-write": { layer: "storage", does: "at a power loss only some sectors of a write were kept" },
  "reordered-write": { layer: "storage", does: "at a power loss a later write was kept and an earlier one was not" },
  "bit-flip": { layer: "storage", does: "a bit of what was stored is the other one when it is read" },
  erofs: { layer: "storage", does: "the file system takes no writes any more for a time" },
  "slow-disk": { layer: "storage", does: "an operation on a file takes seconds" },
  emfile: { layer: "storage", does: "no file, socket or pipe can be opened for a time: too many are open" },
  "eagain-spawn": { layer: "spawn", does: "no carrier can be started for a time: too many OS processes" },
  "enomem-spawn": { layer: "spawn", does: "no carrier can be started for a time: memory is short" },
  "net-down": { layer: "network", does: "no peer can be reached for a time" },
  reset: { layer: "network", does: "a connection is reset by the peer" },
  blackhole: { layer: "network", does: "what is sent over a connection never arrives, and nobody is told" },
  "slow-network": { layer: "network", does: "bytes arrive seconds late" },
  "port-in-use": { layer: "network", does: "a port to listen on is taken" },
  "dns-failure": { layer: "network", does: "names cannot be resolved for a time (EAI_AGAIN)" },
};

/** Who decides whether something goes wrong now. */
export interface FaultSource {
  /**
   * Whether `fault` strikes `subject` (a path, an address, a process) at this moment. Each call is one decision; without a
   * fault in the plan it is always false.
   */
  strikes(fault: FaultName, subject: string): boolean;
  /** How it strikes, as a number below `count`: which byte, how many sectors, how long. 0 is the mildest. */
  severity(fault: FaultName, subject: string, count: number): number;
}

/** Nothing ever goes wrong. */
export const noFaults: FaultSource = { strikes: () => false, severity: () => 0 };
