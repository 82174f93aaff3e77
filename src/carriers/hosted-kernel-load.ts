/**
 * Loads the file of a hosted program as Node itself would run it.
 *
 * @module
 */
import process from "node:process";
import type { Boot } from "./hosted-kernel.ts";

/** Runs the module and gives its namespace; `process.argv` is as if Node had been started with the program's file. */
export async function loadProgram(boot: Boot): Promise<Readonly<Record<string, unknown>>> {
  process.argv = [process.execPath, boot.programFile, ...boot.argv];
  process.setSourceMapsEnabled(true);
  return (await import(boot.programUrl)) as Record<string, unknown>;
}
