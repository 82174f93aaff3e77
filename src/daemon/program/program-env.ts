/**
 * Program environment: the variables by which a run learns what colos does for it beside its environment.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import process from "node:process";
import { findExecutable } from "../../os/executable.ts";
import { listenVariable } from "../../platforms/node/shared-socket.ts";
import type { ServicePlan } from "../../control/config.ts";
import { callVariable } from "../../platforms/node/call-socket.ts";
import type { Home } from "../home.ts";
import { pipeFile } from "../run/run-files.ts";
import type { RunSpec } from "../run/run.ts";

/**
 * Where the handed socket listens; and for an executable that is the Node of this OS process, what it loads first (`entry`).
 * Another Node may not know how, and would not start.
 */
export function listenEnv(spec: RunSpec, entry: URL): Record<string, string> {
  const [place] = spec.listen;
  if (place === undefined) return {};
  const at = { [listenVariable]: `${place.host}:${place.port}` };
  if (!isOwnNode(spec)) return at;
  const others = spec.env["NODE_OPTIONS"];
  return { ...at, NODE_OPTIONS: `--import=${entry.href}${others === undefined ? "" : ` ${others}`}` };
}

/** Where a program in an OS process of its own is called. */
export function callEnv(home: Home, plan: ServicePlan | undefined, spec: RunSpec): Record<string, string> {
  const isCalled = plan?.run.kind === "program" && plan.carrier === "os-process";
  return isCalled ? { [callVariable]: pipeFile(home, spec.id, "call") } : {};
}

function isOwnNode({ argv, env, cwd }: RunSpec): boolean {
  try {
    return realpathSync(findExecutable(argv[0], env["PATH"] ?? "", cwd)) === realpathSync(process.execPath);
  } catch {
    return false; // the start says why
  }
}
