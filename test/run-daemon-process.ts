/**
 * Run daemon process: run-daemon.ts as an OS process of its own, which a test kills.
 *
 * @module
 */
import { build } from "esbuild";
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { Home } from "../src/daemon/home.ts";
import type { OsIdentity, RecoveredRun, RunEnd, RunId, RunSpec } from "../src/daemon/run/run.ts";
import { gone } from "./system/os-processes.ts";
import { turn } from "./system/turn.ts";

/** What it tells its parent. */
export type DaemonReport =
  | { readonly type: "alive" }
  | { readonly type: "recovered"; readonly runs: readonly RecoveredRun[] }
  | { readonly type: "started"; readonly id: RunId; readonly identity: OsIdentity }
  | {
      readonly type: "failed";
      readonly id: RunId;
      readonly message: string;
      readonly code: string;
      readonly isOwnTrouble: boolean;
    }
  | { readonly type: "ended"; readonly id: RunId; readonly end: RunEnd }
  | { readonly type: "ready"; readonly id: RunId };

/** Compiles it into a folder. Gives the file. */
export async function buildRunDaemon(folder: string): Promise<string> {
  const outfile = join(folder, "run-daemon.mjs");
  const entry = fileURLToPath(new URL("run-daemon.ts", import.meta.url));
  await build({ entryPoints: [entry], outfile, bundle: true, platform: "node", format: "esm", logLevel: "error" });
  return outfile;
}

export class RunDaemonProcess {
  readonly osPid: number;
  readonly reports: DaemonReport[] = [];
  readonly #child: ChildProcess;

  /** `fdsMax`: how many file descriptors the daemon may have. */
  constructor(file: string, home: Home, { fdsMax }: { readonly fdsMax?: number } = {}) {
    const stdio = ["ignore", "inherit", "inherit", "ipc"] as const;
    const limited = ["/bin/sh", "-c", `ulimit -n ${fdsMax}; exec "$0" "$@"`, process.execPath, file, home.root];
    const [command, ...args] = fdsMax === undefined ? [process.execPath, file, home.root] : limited;
    this.#child = spawn(command!, args, { stdio: [...stdio] });
    this.osPid = this.#child.pid!;
    this.#child.on("message", (report: DaemonReport) => void this.reports.push(report));
    this.#child.on("error", () => {}); // it was killed while it was being written to
    onTestFinished(() => void this.#child.kill("SIGKILL"));
  }

  start(spec: RunSpec): void {
    if (this.#child.connected) this.#child.send(spec, () => {});
  }

  /** Settles when it has ended. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await gone(this.osPid);
  }

  /** The first report of a type, of a run when it is named; past or to come. */
  async report<T extends DaemonReport["type"]>(type: T, id?: RunId): Promise<DaemonReport & { readonly type: T }> {
    for (;;) {
      const found = this.reports.find((each) => each.type === type && (id === undefined || idOf(each) === id));
      if (found !== undefined) return found as DaemonReport & { readonly type: T };
      if (this.#child.exitCode !== null) throw new Error(`the daemon ended before it said ${type}`);
      await turn();
    }
  }
}

function idOf(report: DaemonReport): RunId | undefined {
  return "id" in report ? report.id : undefined;
}
