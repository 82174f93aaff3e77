/**
 * Program entry: the first file of the OS process in which the daemon runs one program. Arguments: the program's file, and its own.
 * An ordinary script runs as Node would run it; a program of processes runs as a process of a kernel of its own
 * (program-process.ts), which an ordinary script does not load. A standby (platforms/node/standby.ts) loads what the program
 * imports, and runs it when its turn has come.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { loadProgram } from "./carriers/hosted-kernel-load.ts";
import { definedProgramOf } from "./kernel/program.ts";
import { callVariable, scriptMark } from "./platforms/node/call-socket.ts";
import { awaitTurn, loadAhead, standbyVariable } from "./platforms/node/standby.ts";
import { ProgramError } from "./platforms/node/program-error.ts";
import { isPlain, programPath } from "./platforms/node/program-file.ts";

const colosUrl = new URL("./index.js", import.meta.url).href;

async function runProgram(file: string, argv: readonly string[], callSocket: string | undefined): Promise<void> {
  const path = programPath(file);
  const url = isPlain(path) ? pathToFileURL(path).href : await bundled(path);
  if (!isPlain(path) && isOfColos(url)) await Promise.all([import(colosUrl), import("./program-process.ts")]);
  const module = await loadProgram({ programFile: file, programUrl: url, argv });
  const defined = definedProgramOf(module["default"]);
  if (defined === undefined) markAsScript(callSocket);
  else await (await import("./program-process.ts")).runProgramProcess(defined, callSocket);
}

async function bundled(path: string): Promise<string> {
  const { bundleProgram } = await import("./platforms/node/program-bundle.ts");
  return (await bundleProgram(path, { colosUrl })).url;
}

/**
 * Whether a bundle imports colos. Then colos is loaded before `loadProgram` has Node read source maps, which for colos's own files
 * would be a fourth of the whole start.
 */
function isOfColos(url: string): boolean {
  return readFileSync(fileURLToPath(url), "utf8").includes(colosUrl);
}

/** While its turn has not come: everything but the program's own code. */
async function prepare(file: string, argv: readonly string[]): Promise<void> {
  // What packages see when they are loaded, as `loadProgram` has it.
  process.argv = [process.execPath, file, ...argv];
  const { importsOf } = await import("./platforms/node/program-bundle.ts");
  const imports = await importsOf(file, { colosUrl });
  if (imports.includes(colosUrl)) await Promise.all([import(colosUrl), import("./program-process.ts")]);
  process.setSourceMapsEnabled(true);
  await loadAhead(imports);
}

/** So that who wants to call it learns that it never answers. */
function markAsScript(callSocket: string | undefined): void {
  if (callSocket === undefined) return;
  try {
    writeFileSync(callSocket, scriptMark, { mode: 0o600 });
  } catch {
    // As another user, it may not write there.
  }
}

// For this file alone.
const callSocket = process.env[callVariable];
delete process.env[callVariable];
const [file = "", ...argv] = process.argv.slice(2);
try {
  if (process.env[standbyVariable] !== undefined) {
    void prepare(file, argv).catch(() => {});
    await awaitTurn();
  }
  await runProgram(file, argv, callSocket);
} catch (error) {
  if (!(error instanceof ProgramError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
