/**
 * EndWatch: keeps a table of processes free of those that have ended.
 *
 * Guarantees: `ended` is called once for a watched process, before anybody in this kernel learns of its end (as names are
 * free then, N18): for a process of this kernel while it is being ended, for one of another kernel when its end, or the
 * loss of its carrier, arrives here. Another kernel can learn of the end of a process of a third one earlier than this one.
 * The owner gets a `DownMessage` for each watched process of another kernel and drops it.
 *
 * @module
 */
import type { AnyPid } from "./pid.ts";
import type { AnyProcess } from "./process.ts";

/** @internal Learns of ends in other kernels; see `Kernel.foreignEnds`. */
export interface ForeignEnds {
  ended(pid: AnyPid): void;
  /** A carrier was lost with all processes that are `gone`. */
  lost(gone: (pid: AnyPid) => boolean): void;
}

export class EndWatch {
  readonly #owner: AnyProcess;
  readonly #ended: (pid: AnyPid) => void;
  /** With what ends the watch. */
  readonly #watched = new Map<AnyPid, () => void>();

  /** Watches as long as `owner` lives. `ended` must not throw. */
  constructor(owner: AnyProcess, ended: (pid: AnyPid) => void) {
    this.#owner = owner;
    this.#ended = ended;
    const listener: ForeignEnds = {
      ended: (pid) => this.#end(pid),
      lost: (gone) => {
        for (const pid of this.#watched.keys()) if (gone(pid)) this.#end(pid);
      },
    };
    owner.kernel.foreignEnds.add(listener);
    owner.own({
      close: () => {
        owner.kernel.foreignEnds.delete(listener);
        for (const stop of this.#watched.values()) stop();
        this.#watched.clear();
      },
    });
  }

  /** Watches `pid`; false when it has ended already. Watching twice is one watch. */
  watch(pid: AnyPid): boolean {
    if (this.#watched.has(pid)) return true;
    const owner = this.#owner;
    const watched = pid.process;
    if (pid.kernelId === owner.kernel.id) {
      if (watched === null || !owner.isAlive(pid)) return false;
      this.#watched.set(pid, watched.own({ close: () => this.#end(pid) }));
    } else {
      const ref = owner.monitor(pid);
      this.#watched.set(pid, () => {
        if (owner.stage === "live") owner.demonitor(ref, { flush: true });
      });
    }
    return true;
  }

  /** Ends the watch, if there is one. */
  unwatch(pid: AnyPid): void {
    const stop = this.#watched.get(pid);
    this.#watched.delete(pid);
    stop?.();
  }

  #end(pid: AnyPid): void {
    if (this.#watched.delete(pid)) this.#ended(pid);
  }
}
