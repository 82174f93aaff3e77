/**
 * Place: where one system test happens. `test` gives each test a place of its own: a temporary folder, TCP ports that
 * nobody else uses, and colos as a real OS process.
 *
 * Guarantees: the test fails when anything that it started runs on after colos has ended, or after the test has. Then
 * it is killed, and the folder is removed in any case.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test as baseTest, type TestAPI } from "vitest";
import { colosFile, ColosProcess, type ColosOptions } from "./colos-process.ts";
import { freePort } from "./free-port.ts";
import { markVariable, osProcessesOf, type Belonging } from "./os-processes.ts";

export { freePort };

/** What decides about colours and about Node itself in the tests' own environment has no say in colos's. */
const notInherited = ["NO_COLOR", "FORCE_COLOR", "NODE_OPTIONS", "NODE_ENV", "VITEST", "TERM"];

export class Place implements Belonging {
  readonly mark: string = randomUUID();
  /** Absolute, without symbolic links. */
  readonly folder: string = realpathSync(mkdtempSync(join(tmpdir(), "colos-system-")));
  /** What every OS process of this place is to have in its environment. */
  readonly env: Readonly<Record<string, string | undefined>> = {
    ...Object.fromEntries(notInherited.map((name) => [name, undefined])),
    [markVariable]: this.mark,
  };
  readonly #runs: ColosProcess[] = [];

  /** Writes a file, JSON unless it is text, and gives its absolute path. */
  write(name: string, content: unknown, mode?: number): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content, undefined, 2));
    if (mode !== undefined) chmodSync(path, mode);
    return path;
  }

  read(name: string): string {
    return readFileSync(join(this.folder, name), "utf8");
  }

  /** A TCP port that nobody listens on. */
  port(): Promise<number> {
    return freePort();
  }

  /** Runs `colos` with these words, in the folder of the place. */
  colos(args: readonly string[], options: Partial<ColosOptions> = {}): ColosProcess {
    return this.run([process.execPath, colosFile, ...args], options);
  }

  /** `colos up --foreground` of these services, written to colos.config.json. */
  up(services: object, args: readonly string[] = [], options: Partial<ColosOptions> = {}): ColosProcess {
    this.write("colos.config.json", { services });
    return this.colos(["up", "--foreground", ...args], options);
  }

  /** Runs any command as `colos` is run. */
  run(argv: readonly string[], options: Partial<ColosOptions> = {}): ColosProcess {
    const env = { ...this.env, ...options.env };
    const run = new ColosProcess(argv, this, { cwd: this.folder, ...options, env });
    this.#runs.push(run);
    return run;
  }

  /** Ends what is left, and throws when anything was. */
  async close(): Promise<void> {
    const unended = this.#runs.filter((run) => run.end === undefined);
    const left = osProcessesOf(this);
    for (const { pid } of left) tryKill(pid);
    await Promise.all(unended.map((run) => run.ended));
    rmSync(this.folder, { recursive: true, force: true });
    const seen = new Set([
      ...this.#runs.flatMap((run) => run.left),
      ...left.map(({ pid, command }) => `${pid}: ${command}`),
    ]);
    if (seen.size > 0) {
      const runs = this.#runs.map((run) => run.transcript());
      throw new Error(["something was left running:", ...seen, ...runs].join("\n"));
    }
  }
}

/** vitest's `test` with a place. */
export const test: TestAPI<{ place: Place }> = baseTest.extend<{ place: Place }>({
  // oxlint-disable-next-line no-empty-pattern
  place: async ({}, use) => {
    const place = new Place();
    try {
      await use(place);
    } finally {
      await place.close();
    }
  },
});

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended in between.
  }
}
