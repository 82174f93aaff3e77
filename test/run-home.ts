/**
 * Run home: a home in a temporary folder with the runs of a daemon, for tests. Everything that was started in it has
 * ended, and the folder is removed, when the test is over.
 *
 * @module
 */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { homeAt, type Home } from "../src/daemon/home.ts";
import { openRuns, type RunsOptions } from "../src/daemon/run/runs.ts";
import type { RunEnd, RunId, Runs, RunSpec } from "../src/daemon/run/run.ts";
import { nodePlatform } from "../src/platforms/node/node-platform.ts";
import { PipeRecorder } from "./pipe-recorder.ts";
import { markVariable, osProcessesOf } from "./system/os-processes.ts";
import { turn } from "./system/turn.ts";

/** What every run of a test has unless it says otherwise. */
const specDefaults: Omit<RunSpec, "id"> = {
  service: "web",
  instance: 1,
  argv: ["true"],
  env: { PATH: process.env["PATH"] ?? "" },
  cwd: "/",
  listen: [],
  stdin: "null",
  limits: {},
  logs: { sizeBytes: 1_000_000, ageMs: 1_000_000, budgetBytes: 1_000_000 },
};

/** Runs with what their listener was told. */
export interface TestRuns {
  readonly home: Home;
  readonly runs: Runs;
  readonly recorder: PipeRecorder;
  readonly ends: ReadonlyMap<RunId, RunEnd>;
  readonly readies: readonly RunId[];
  readonly statuses: readonly string[];
  readonly problems: readonly string[];
  /** Settles when `ended` was told of it. */
  end(id: RunId): Promise<RunEnd>;
}

export function newHome(): Home {
  const home = homeAt(realpathSync(mkdtempSync(join(tmpdir(), "colos-runs-"))));
  onTestFinished(() => {
    endAll(home);
    rmSync(home.root, { recursive: true });
  });
  return home;
}

export function openTestRuns(home: Home, options: Partial<RunsOptions> = {}): TestRuns {
  const ends = new Map<RunId, RunEnd>();
  const readies: RunId[] = [];
  const statuses: string[] = [];
  const problems: string[] = [];
  const recorder = new PipeRecorder(home.runs);
  const platform = nodePlatform({ writeLine: (line) => problems.push(line) });
  const listener = {
    ended: (id: RunId, end: RunEnd) => {
      if (ends.has(id)) problems.push(`${id} ended twice`);
      ends.set(id, end);
    },
    ready: (id: RunId) => void readies.push(id),
    status: (_id: RunId, text: string) => void statuses.push(text),
  };
  const runs = openRuns({ home, listener, recorder, platform, ...options });
  onTestFinished(() => runs.close());
  const end = async (id: RunId): Promise<RunEnd> => {
    while (!ends.has(id)) await turn();
    return ends.get(id)!;
  };
  return { home, runs, recorder, ends, readies, statuses, problems, end };
}

/** A spec with these differences. */
export function specOf(home: Home, id: RunId, difference: Partial<RunSpec> = {}): RunSpec {
  return {
    ...specDefaults,
    ...difference,
    id,
    env: { ...specDefaults.env, [markVariable]: home.root, ...difference.env },
  };
}

/** A spec that runs shell commands. */
export function shellSpec(home: Home, id: RunId, script: string, difference: Partial<RunSpec> = {}): RunSpec {
  return specOf(home, id, { argv: ["/bin/sh", "-c", script], ...difference });
}

/** What runs now of a home, shims and services. */
export function leftOf(home: Home): ReturnType<typeof osProcessesOf> {
  return osProcessesOf({ mark: home.root, folder: home.root });
}

function endAll(home: Home): void {
  for (const { pid } of leftOf(home)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
}
