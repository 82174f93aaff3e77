/** Runs and a journal in memory, for tests of what stands on them: the test says what the OS does, and what the disk takes. */
import type { Entry } from "../src/daemon/core/entry.ts";
import type { SystemRecord } from "../src/daemon/core/record.ts";
import { fold } from "../src/daemon/core/fold.ts";
import { emptyRecord } from "../src/daemon/core/record.ts";
import type { Journal, JournalRecovery } from "../src/daemon/journal/journal.ts";
import type {
  OsIdentity,
  RecoveredRun,
  RunEnd,
  RunId,
  RunListener,
  Runs,
  RunSpec,
  RunStartError,
} from "../src/daemon/run/run.ts";

/** OS processes that are what the test says. */
export class FakeRuns implements Runs {
  readonly listener: RunListener;
  readonly running = new Map<RunId, RunSpec>();
  readonly started: RunId[] = [];
  readonly promoted: RunId[] = [];
  readonly signals: string[] = [];
  readonly forgotten: RunId[] = [];
  readonly written: string[] = [];
  found: readonly RecoveredRun[] = [];
  /** Why nothing can be started. */
  trouble: RunStartError | undefined;
  /** Called as soon as the OS has started a run, before anybody is told. */
  onStart: (id: RunId) => void = () => {};
  isClosed = false;

  constructor(listener: RunListener) {
    this.listener = listener;
  }

  recover(): Promise<readonly RecoveredRun[]> {
    return Promise.resolve(this.found);
  }

  start(spec: RunSpec): Promise<OsIdentity> {
    if (this.trouble !== undefined) return Promise.reject(this.trouble);
    this.started.push(spec.id);
    this.running.set(spec.id, spec);
    this.onStart(spec.id);
    return Promise.resolve({ osPid: 1000 + this.started.length, startTicks: 1, bootId: "boot" });
  }

  promote(id: RunId): void {
    this.promoted.push(id);
  }

  signal(id: RunId, name: string): void {
    this.signals.push(`${id} ${name}`);
  }

  kill(id: RunId): void {
    this.signal(id, "SIGKILL");
  }

  write(id: RunId, text: string): Promise<void> {
    this.written.push(`${id} ${text}`);
    return Promise.resolve();
  }

  members(id: RunId): readonly number[] {
    return this.running.has(id) ? [1] : [];
  }

  isRunning(id: RunId): boolean {
    return this.running.has(id);
  }

  heldListens(): readonly { readonly port: number; readonly host: string }[] {
    return [];
  }

  releaseListen(): void {}

  forget(id: RunId): Promise<void> {
    this.forgotten.push(id);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  /** The run ends. */
  end(id: RunId, end: Partial<RunEnd> = { code: 0 }): void {
    this.running.delete(id);
    this.listener.ended(id, { code: null, signal: null, at: 0, ...end });
  }
}

/** A journal on a disk that takes what the test lets it take. */
export class FakeJournal implements Journal<SystemRecord, Entry> {
  state: SystemRecord = emptyRecord();
  readonly recovery: JournalRecovery = { entriesCount: 0, cutBytes: 0 };
  readonly entries: Entry[] = [];
  /** Why it takes nothing. */
  trouble: Error | undefined;
  /** Appends wait until this is called with how they end; undefined: they do not wait. */
  hold: ((proceed: () => void) => void) | undefined;
  isClosed = false;

  async append(entries: readonly Entry[]): Promise<void> {
    const { hold } = this;
    if (hold !== undefined) await new Promise<void>((resolve) => hold(resolve));
    else await Promise.resolve();
    if (this.trouble !== undefined) throw this.trouble;
    for (const entry of entries) {
      const kept = structuredClone(entry);
      this.entries.push(kept);
      this.state = fold(this.state, kept);
    }
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}
