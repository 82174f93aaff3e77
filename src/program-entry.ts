/**
 * Program entry: the first file of the OS process in which the daemon runs one program. Arguments: the program's file, and its own.
 * An ordinary script runs as Node would run it; a program of processes runs as a process of a kernel of its own, which
 * SIGTERM asks to shut down.
 *
 * @module
 */
import process from "node:process";
import { pathToFileURL } from "node:url";
import { loadProgram } from "./carriers/hosted-kernel-load.ts";
import { describeReason, isOrderly } from "./kernel/exit-reason.ts";
import { isDown } from "./kernel/message.ts";
import { acknowledgingBody, definedProgramOf, type DefinedProgram } from "./kernel/program.ts";
import { createSystem } from "./node-system.ts";
import { bundleProgram } from "./platforms/node/program-bundle.ts";
import { ProgramError } from "./platforms/node/program-error.ts";

const colosUrl = new URL("./index.js", import.meta.url).href;

async function runProgram(file: string, argv: readonly string[]): Promise<void> {
  const { url } = await bundleProgram(pathToFileURL(file), { colosUrl });
  const module = await loadProgram({ programFile: file, programUrl: url, argv });
  const defined = definedProgramOf(module["default"]);
  if (defined !== undefined) await runProcess(defined);
}

async function runProcess(defined: DefinedProgram<unknown, readonly unknown[]>): Promise<void> {
  const self = createSystem().kernel.attach();
  const { pid, ref } = self.spawnMonitor(acknowledgingBody(defined), { label: "main" });
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(name, () => self.exit(pid, "shutdown"));
  const down: unknown = await self.receive((message: unknown) => isDown(message, ref));
  const { reason } = down as { readonly reason: unknown };
  if (isOrderly(reason)) process.exit(0);
  process.stderr.write(`${describeReason(reason)}\n`);
  process.exit(1);
}

const [file = "", ...argv] = process.argv.slice(2);
try {
  await runProgram(file, argv);
} catch (error) {
  if (!(error instanceof ProgramError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
