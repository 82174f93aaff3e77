/**
 * Spare FIFOs: named pipes that no run has yet, so that a start does not wait for an OS process that makes its three.
 *
 * Node has no mkfifo(3), and mkfifo(1) costs 2 ms of CPU time however many it makes: as much as all else of a start.
 * Guarantees: a FIFO is given once, by rename, and was never open before. Whoever gets none makes its own: nothing here
 * fails, and nothing waits.
 * Limits: `sparesMax` FIFOs; they stay for the next daemon.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

/** FIFOs that are kept at most. */
export const sparesMax = 192;
/** With fewer than these, more are made. */
export const sparesMin = 96;

export class SpareFifos {
  readonly #folder: string;
  readonly #path: string;
  #names: string[] = [];
  #madeCount = 0;
  #making: Promise<void> | undefined;

  /** `folder` exists; mkfifo(1) is looked for on `path`. */
  constructor(folder: string, path: string) {
    this.#folder = folder;
    this.#path = path;
  }

  /** Puts FIFOs at these paths, in this order; false when there are not enough, and none of them is there then. */
  take(paths: readonly string[]): boolean {
    const isEnough = this.#names.length >= paths.length;
    const isTaken = isEnough && this.#give(paths);
    this.fill();
    return isTaken;
  }

  /** Makes more when there are few; they can be taken in a moment. */
  fill(): void {
    if (this.#making !== undefined || this.#names.length >= sparesMin) return;
    this.#making = this.#make()
      .catch(() => {}) // the OS is short of something, and a shim will say so
      .finally(() => (this.#making = undefined));
  }

  /** Settles when nothing is being made. */
  async close(): Promise<void> {
    await this.#making;
  }

  #give(paths: readonly string[]): boolean {
    const given: string[] = [];
    try {
      for (const path of paths) {
        renameSync(join(this.#folder, this.#names.pop()!), path);
        given.push(path);
      }
      return true;
    } catch {
      for (const path of given) rmSync(path, { force: true });
      return false;
    }
  }

  async #make(): Promise<void> {
    const missing = Math.max(0, sparesMax - this.#list().length);
    const names = Array.from({ length: missing }, () => `${process.pid}-${(this.#madeCount += 1)}`);
    if (missing > 0) await this.#mkfifo(names);
    // What of them is there tells the folder, also after a failure halfway.
    this.#names = this.#list();
  }

  #mkfifo(names: readonly string[]): Promise<void> {
    const options = { cwd: this.#folder, env: { PATH: this.#path }, stdio: "ignore" } as const;
    return new Promise((resolve) => {
      const maker = spawn("mkfifo", ["-m", "600", ...names], options);
      maker.once("error", () => resolve());
      maker.once("exit", () => resolve());
    });
  }

  #list(): string[] {
    try {
      return readdirSync(this.#folder);
    } catch {
      return [];
    }
  }
}
