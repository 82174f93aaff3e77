/**
 * Child keeper: starts a daemon, and at once another when that one has ended.
 *
 * Guarantees: an end that nobody made is told, with what the daemon said last.
 *
 * @module
 */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { daemonNodeOptions } from "../../../src/daemon/boot/node-options.ts";
import type { Home } from "../../../src/daemon/home.ts";
import type { Keeper } from "./system.ts";

const saidLinesMax = 20;

export class ChildKeeper implements Keeper {
  readonly problems: string[] = [];
  deathsCount = 0;
  readonly #entry: string;
  readonly #home: Home;
  readonly #folder: string;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #isClosed = false;
  #last: Promise<void> = Promise.resolve();

  /** @param dist where the built package is */
  constructor(dist: URL, home: Home, folder: string, env: Readonly<Record<string, string>>) {
    this.#entry = fileURLToPath(new URL("daemon-entry.cjs", dist));
    this.#home = home;
    this.#folder = folder;
    this.#env = env;
    this.#start();
  }

  get osPid(): number | undefined {
    return this.#child?.pid;
  }

  kill(): boolean {
    return this.#child?.kill("SIGKILL") === true;
  }

  async ended(): Promise<void> {
    this.#isClosed = true;
    await this.#last;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.kill();
    await this.#last;
  }

  /** What the daemons said last. */
  said(): string {
    return readFileSync(this.#output, "utf8").split("\n").slice(-saidLinesMax).join("\n");
  }

  get #output(): string {
    return join(this.#folder, "daemon.output");
  }

  #start(): void {
    const output = openSync(this.#output, "a");
    const child = spawn(process.execPath, [...daemonNodeOptions, this.#entry, this.#home.root, "--no-heart"], {
      env: { ...process.env, ...this.#env },
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    this.#child = child;
    this.#last = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#child = undefined;
        if (signal === "SIGKILL") this.deathsCount += 1;
        if (signal !== "SIGKILL" && !this.#isClosed)
          this.problems.push(`a daemon ended by itself with ${signal ?? `exit code ${code}`}:\n${this.said()}`);
        if (!this.#isClosed) this.#start();
        resolve();
      });
    });
  }
}
