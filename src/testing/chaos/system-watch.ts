/**
 * System watch: what a running system is, told by its manager, also over the death of the daemon.
 *
 * Guarantees: each change of an instance's state is told once, in order, as the manager's events say; what happened while no daemon
 * was there is told as one change when the next one answers. A daemon that does not answer within `answerMs` counts as absent
 * since it was asked. Nothing here throws.
 *
 * @module
 */
import { performance } from "node:perf_hooks";
import type { Milliseconds } from "../../base/platform.ts";
import type { Manager, ManagerEvent } from "../../control/manager.ts";
import type { InstanceStatus } from "../../control/service.ts";

/** How often the daemon is asked, in milliseconds. */
export const askEveryMs: Milliseconds = 200;
/** How long an answer may take, in milliseconds. */
export const answerMs: Milliseconds = 2000;

/** One instance, as it is now. */
export interface WatchedInstance {
  status: InstanceStatus;
  /** Monotonic; undefined while it is ready. */
  notReadySinceMs: Milliseconds | undefined;
}

/** Something that happened. */
export type WatchNotice =
  | { readonly kind: "state"; readonly status: InstanceStatus }
  | { readonly kind: "daemon"; readonly isBack: boolean };

export class SystemWatch {
  readonly instances: Map<string, WatchedInstance> = new Map();
  /** The one that answered last. */
  daemonPid = 0;
  readonly #manager: Manager;
  readonly #listener: (notice: WatchNotice) => void;
  /** Instances of which an event came since the daemon was asked: its answer may be older. */
  readonly #news = new Set<string>();
  #events: AsyncIterator<ManagerEvent> | undefined;
  #askedMs: Milliseconds | undefined;
  #absentSinceMs: Milliseconds | undefined;
  #isTold = false;
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;

  constructor(manager: Manager, listener: (notice: WatchNotice) => void) {
    this.#manager = manager;
    this.#listener = listener;
  }

  /** Watches from now on, and settles when it knows how everything is. @throws what the manager rejects with */
  async start(): Promise<void> {
    this.#follow();
    const { daemon, instances } = await this.#manager.list();
    this.daemonPid = daemon.osPid;
    for (const status of instances) this.#take(status, false);
    this.#timer = setInterval(() => this.#look(), askEveryMs);
  }

  end(): void {
    this.#hasEnded = true;
    clearInterval(this.#timer);
    void this.#events?.return?.().catch(() => {});
  }

  /** For how long no daemon has answered; undefined while one does. */
  get absentMs(): Milliseconds | undefined {
    const sinceMs = this.#absentSinceMs ?? (this.#isLate ? this.#askedMs : undefined);
    return sinceMs === undefined ? undefined : performance.now() - sinceMs;
  }

  get #isLate(): boolean {
    return this.#askedMs !== undefined && performance.now() - this.#askedMs > answerMs;
  }

  #look(): void {
    if (this.#askedMs !== undefined) {
      if (this.#isLate) this.#tellAbsent();
      return;
    }
    this.#askedMs = performance.now();
    this.#news.clear();
    this.#manager.list().then(
      ({ daemon, instances }) => {
        this.#askedMs = undefined;
        this.#answered(daemon.osPid, instances);
      },
      () => {
        this.#absentSinceMs ??= this.#askedMs;
        this.#askedMs = undefined;
        this.#tellAbsent();
      },
    );
  }

  #answered(osPid: number, instances: readonly InstanceStatus[]): void {
    if (this.#hasEnded) return;
    this.#absentSinceMs = undefined;
    this.daemonPid = osPid;
    if (this.#isTold) {
      this.#isTold = false;
      this.#listener({ kind: "daemon", isBack: true });
    }
    if (this.#events === undefined) this.#follow();
    for (const status of instances) if (!this.#news.has(status.name)) this.#take(status, true);
    const names = new Set(instances.map(({ name }) => name));
    for (const name of this.instances.keys())
      if (!names.has(name) && !this.#news.has(name)) this.instances.delete(name);
  }

  #tellAbsent(): void {
    if (this.#isTold || this.#hasEnded) return;
    this.#isTold = true;
    this.#listener({ kind: "daemon", isBack: false });
  }

  #follow(): void {
    const events = this.#manager.events()[Symbol.asyncIterator]();
    this.#events = events;
    void this.#pump(events).finally(() => {
      if (this.#events === events) this.#events = undefined;
    });
  }

  /** Ends with the daemon. */
  async #pump(events: AsyncIterator<ManagerEvent>): Promise<void> {
    try {
      for (;;) {
        const next = await events.next();
        if (next.done === true || this.#hasEnded) return;
        if (next.value.type !== "state") continue;
        this.#news.add(next.value.status.name);
        this.#take(next.value.status, true);
      }
    } catch {
      // Whether a daemon is there is found out by asking it.
    }
  }

  #take(status: InstanceStatus, isTold: boolean): void {
    const known = this.instances.get(status.name);
    const isSame =
      known !== undefined &&
      known.status.state === status.state &&
      (known.status.osPid === status.osPid || status.osPid === undefined);
    const sinceMs = known?.notReadySinceMs ?? performance.now();
    const notReadySinceMs = status.state === "ready" ? undefined : sinceMs;
    this.instances.set(status.name, { status, notReadySinceMs });
    if (isTold && !isSame) this.#listener({ kind: "state", status });
  }
}
