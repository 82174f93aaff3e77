/**
 * Recorder start: starts the recorder of a home as an OS process of its own, and waits for the end of one.
 *
 * Guarantees: one that this OS process has started and that has not ended is not started again. After a start that failed the next one waits,
 * longer each time. Two daemons may start one each; the second recorder ends at once, because it does not get the lock.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock, Platform } from "../../base/platform.ts";
import { ownEnvironment } from "../boot/own-environment.ts";
import type { Home } from "../home.ts";
import { identityOf, isAlive } from "../os-identity.ts";
import type { OsIdentity } from "../run/run.ts";

/** The first and the longest wait before a recorder is started again that has failed, in milliseconds; it doubles. */
export const restartInitialMs = 100;
export const restartMaxMs = 5_000;
/** How long the end of a recorder's OS process is waited for, in milliseconds. */
export const endTimeoutMs = 5_000;
const endLookMs = 5;

/** It lives long and holds little. */
const nodeOptions = ["--max-semi-space-size=1", "--v8-pool-size=1"];

export interface RecorderStartOptions {
  readonly home: Home;
  readonly clock: Clock;
  readonly log: Platform["log"];
  /** The recorder's first file, recorder-entry.js. */
  readonly entry: URL;
  /** Where the recorder's stdout goes, which is where `forward: "stdout"` goes; default: nowhere. */
  readonly stdout?: "inherit" | "ignore";
  /** After how many milliseconds without work the recorder ends; default: its own. */
  readonly idleMs?: number;
}

export class RecorderStart {
  readonly #options: RecorderStartOptions;
  readonly #failed: (problem: string) => void;
  /** The recorder that was started here and has not ended. */
  #osPid: number | undefined;
  #waitMs = restartInitialMs;
  /** By the monotonic clock. */
  #nextMs = 0;

  /** `failed` is told why one could not be started, or has failed. */
  constructor(options: RecorderStartOptions, failed: (problem: string) => void) {
    this.#options = options;
    this.#failed = failed;
  }

  /** Starts one, unless that has just failed or one is about to come. */
  start(): void {
    const { clock, home } = this.#options;
    if (this.#osPid !== undefined || clock.monotonicMs() < this.#nextMs) return;
    let ownLog: number | undefined;
    try {
      mkdirSync(dirname(home.recorderSocket), { recursive: true });
      mkdirSync(home.log, { recursive: true });
      ownLog = openSync(join(home.log, "recorder"), "a", 0o640);
      this.#spawn(ownLog);
    } catch (error) {
      // For want of file descriptors or memory: it passes, and until then what is written waits.
      this.#fail((error as Error).message);
    } finally {
      if (ownLog !== undefined) closeSync(ownLog);
    }
  }

  /** There is one: the next that fails is the first again. */
  succeeded(): void {
    this.#waitMs = restartInitialMs;
  }

  /** Ends one that was started and came too late for the lock: it would have it once the other, of this pid, is gone. */
  async endLate(otherOsPid: number | undefined): Promise<void> {
    const osPid = this.#osPid;
    const late = osPid === undefined || osPid === otherOsPid ? undefined : identityOf(osPid);
    if (late === undefined) return;
    try {
      process.kill(late.osPid, "SIGTERM");
    } catch {
      return; // it has ended in between
    }
    await this.untilEnded(late);
  }

  /** Settles when it has ended, or after `endTimeoutMs`: the connection ends before the OS process. */
  async untilEnded(recorder: OsIdentity): Promise<void> {
    const { clock, log } = this.#options;
    const dueMs = clock.monotonicMs() + endTimeoutMs;
    while (isAlive(recorder)) {
      if (clock.monotonicMs() > dueMs)
        return log("warning", `the recorder (OS process ${recorder.osPid}) did not end within ${endTimeoutMs} ms`);
      await new Promise<void>((resolve) => void clock.timer(endLookMs, resolve));
    }
    return undefined;
  }

  #spawn(ownLog: number): void {
    const { home, entry, stdout = "ignore", idleMs } = this.#options;
    const args = [...nodeOptions, fileURLToPath(entry), home.root, ...(idleMs === undefined ? [] : [String(idleMs)])];
    // What a person has Node load is meant for their programs, and would cost each start of this one up to 30 ms and 1 MB.
    const { NODE_EXTRA_CA_CERTS: _certificates, ...env } = ownEnvironment();
    const stdio = ["ignore", stdout, ownLog] as const;
    const recorder = spawn(process.execPath, args, { detached: true, cwd: "/", env, stdio: [...stdio] });
    this.#osPid = recorder.pid;
    recorder.once("error", (error) => this.#fail(error.message));
    recorder.once("exit", (code) => {
      this.#osPid = undefined;
      // Killed is not failed, nor is having come too late for the lock.
      if (code !== null && code !== 0) this.#fail(`it ended with exit code ${code}`);
    });
    recorder.unref();
  }

  #fail(problem: string): void {
    this.#nextMs = this.#options.clock.monotonicMs() + this.#waitMs;
    this.#waitMs = Math.min(2 * this.#waitMs, restartMaxMs);
    this.#failed(problem);
  }
}
