/**
 * Program environment: the variables by which a run learns what colos does for it beside its environment.
 *
 * @module
 */
import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
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
  const others = spec.env["NODE_OPTIONS"];
  if (!isOwnNode(spec) || mayNotRead(spec, others, fileURLToPath(entry))) return at;
  return { ...at, NODE_OPTIONS: `--import=${entry.href}${others === undefined ? "" : ` ${others}`}` };
}

/** A Node that may not read what it is to load first would not start. */
function mayNotRead({ argv, user }: RunSpec, nodeOptions: string | undefined, file: string): boolean {
  const isConfined = [...argv, ...(nodeOptions ?? "").split(" ")].some((word) => permissionModel.test(word));
  return isConfined || (user !== undefined && !isOpenToAll(file));
}

/** Node reads only what it was told then. */
const permissionModel = /^--(?:experimental-)?permission$/;

/** Whether every user can read the file and go through its folders. */
function isOpenToAll(file: string): boolean {
  const folders: string[] = [];
  for (let at = dirname(file); at !== dirname(at); at = dirname(at)) folders.push(at);
  return (statSync(file).mode & 0o004) !== 0 && folders.every((folder) => (statSync(folder).mode & 0o001) !== 0);
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
