/**
 * Run daemon: an OS process that has the runs of a home and does what its parent says, to be killed. Argument: the home.
 *
 * @module
 */
import process from "node:process";
import { homeAt } from "../src/daemon/home.ts";
import { openRuns } from "../src/daemon/run/runs.ts";
import type { RunStartError, RunSpec } from "../src/daemon/run/run.ts";
import { nodePlatform } from "../src/platforms/node/node-platform.ts";
import { PipeRecorder } from "./pipe-recorder.ts";
import type { DaemonReport } from "./run-daemon-process.ts";

const home = homeAt(process.argv[2]!);
const report = (what: DaemonReport): void => void process.send?.(what, undefined, undefined, () => {});
const runs = openRuns({
  home,
  listener: {
    ended: (id, end) => report({ type: "ended", id, end }),
    ready: (id) => report({ type: "ready", id }),
    status: () => {},
  },
  recorder: new PipeRecorder(home.runs),
  platform: nodePlatform(),
});

process.on("message", (spec: RunSpec) => {
  runs.start(spec).then(
    (identity) => report({ type: "started", id: spec.id, identity }),
    (error: unknown) => {
      const { message, code, isOwnTrouble } = error as RunStartError;
      report({ type: "failed", id: spec.id, message, code, isOwnTrouble });
    },
  );
});
report({ type: "alive" });
report({ type: "recovered", runs: await runs.recover() });
