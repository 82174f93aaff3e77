/**
 * Coroutine carrier: runs the program of a file in this heap, as one process among the others of its kernel.
 * Functions need no carrier: the kernel runs them itself.
 *
 * Guarantees: the module is loaded before its body runs and its errors are the process's exit reason; a process that is
 * ended while its module loads never runs.
 * Limits: nothing contains a program here. A module is loaded once and shared by all its processes, global state
 * included; a loop without `await` stops everything; messages are not copied, so a sender must not change what it sent.
 * An ordinary script has no place here, but its top level has run by the time that is known.
 *
 * @module
 */
import type { Kernel, StartRequest } from "../kernel/kernel.ts";
import type { AnyPid } from "../kernel/pid.ts";
import type { AnyProcess } from "../kernel/process.ts";
import { acknowledgingBody, definedProgramOf, type DefinedProgram } from "../kernel/program.ts";
import type { Carrier, ProgramLoader } from "./carrier.ts";

/** What this carrier needs of the host. */
export interface CoroutineCarrierOptions {
  readonly loader: ProgramLoader;
}

/** Runs program files in the heap of the kernel that starts them. */
export function coroutineCarrier({ loader }: CoroutineCarrierOptions): Carrier {
  return {
    name: "coroutine",
    preemptible: false,
    copies: false,
    reasons: "any",
    start: (kernel, request) => start(kernel, request, loader),
  };
}

function start(kernel: Kernel, { program, options, parent, starter }: StartRequest, loader: ProgramLoader): AnyPid {
  if (typeof program === "function" || program.kind !== "file") {
    throw new Error("the coroutine carrier runs functions and program files; a command needs the command carrier");
  }
  const body = async (self: AnyProcess, ...args: readonly unknown[]): Promise<void> => {
    const defined = await load(self, program.url, loader);
    await acknowledgingBody(defined)(self, ...args);
  };
  const label = options.label ?? program.url.slice(program.url.lastIndexOf("/") + 1);
  const { args, callers, mailbox } = options;
  return kernel.spawnLocal(parent, body, args, { label, mailbox, callers, starter });
}

async function load(
  self: AnyProcess,
  fileUrl: string,
  loader: ProgramLoader,
): Promise<DefinedProgram<unknown, readonly unknown[]>> {
  let module: { readonly default?: unknown };
  try {
    module = await self.wait(loader.resolve(fileUrl).then((url) => import(url)));
  } catch (problem) {
    return self.failStart(problem);
  }
  const defined = definedProgramOf(module.default);
  if (defined !== undefined) return defined;
  const remedy = "export default defineProgram(…), or run it on the os-process or thread carrier";
  return self.failStart(new Error(`${decodeURI(fileUrl)} is a script, not a program of processes; ${remedy}`));
}
