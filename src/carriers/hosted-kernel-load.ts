/**
 * Loads the file of a hosted program as Node itself would run it: ES modules by `import()`, CommonJS as the main module,
 * so that `require.main === module` holds there.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import Module from "node:module";
import { dirname, extname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { definedProgramOf } from "../kernel/program.ts";
import type { Boot } from "./hosted-kernel.ts";

/** Node's own way in for main modules; not in its types, and as old as Node. */
interface MainModule {
  _load(file: string, parent: null, isMain: true): unknown;
}

/** Runs the module and gives its namespace; `process.argv` is as if Node had been started with the program's file. */
export async function loadProgram(
  boot: Pick<Boot, "programUrl" | "programFile" | "argv">,
): Promise<Readonly<Record<string, unknown>>> {
  process.argv = [process.execPath, boot.programFile, ...boot.argv];
  process.setSourceMapsEnabled(true);
  const file = boot.programUrl.startsWith("file:") ? fileURLToPath(boot.programUrl) : null;
  if (file === null || !isCommonJs(file)) return (await import(boot.programUrl)) as Record<string, unknown>;
  const exported = (Module as unknown as MainModule)._load(file, null, true) as
    | { default?: unknown }
    | null
    | undefined;
  return { default: definedProgramOf(exported) ?? exported?.default };
}

function isCommonJs(file: string): boolean {
  const extension = extname(file);
  if (extension !== ".js") return extension === ".cjs";
  const type = packageTypeOf(dirname(file));
  if (type !== undefined) return type !== "module";
  return !/^\s*(?:import|export)\b(?!\s*\()/m.test(readFileSync(file, "utf8"));
}

/** The `type` that the nearest package.json declares; undefined when it declares none. */
function packageTypeOf(folder: string): string | undefined {
  for (let current = folder; ; current = dirname(current)) {
    const manifest = readManifest(join(current, "package.json"));
    if (manifest !== undefined) return typeof manifest.type === "string" ? manifest.type : undefined;
    if (dirname(current) === current) return undefined;
  }
}

function readManifest(path: string): { readonly type?: unknown } | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as { type?: unknown };
  } catch {
    return undefined;
  }
}
