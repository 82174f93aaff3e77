/**
 * Source file: reads the file of another program and imports it by what it holds.
 *
 * Guarantees: what cannot be read is one sentence with the file and, where known, the line. Code (`.js`, `.cjs`, `.mjs`, `.ts`)
 * runs with the rights of whoever typed the command, as it does for its own program.
 *
 * @module
 */
import { basename, dirname, extname, join, resolve } from "node:path";
import { LineCounter, parseDocument } from "yaml";
import { isPlainObject } from "../../control/value-schema.ts";
import { configBytesMax } from "../config-file.ts";
import { positionAt } from "../config-positions.ts";
import { importDockerCompose } from "./docker-compose.ts";
import type { ImportResult } from "./note.ts";
import { importPackage } from "./package.ts";
import { importPm2 } from "./pm2.ts";
import { importProcessCompose } from "./process-compose.ts";
import { importProcfile } from "./procfile.ts";

/** What an import needs from the place where it runs. */
export interface ImportHost {
  /** Absolute. */
  readonly cwd: string;
  /** CPUs of the machine. */
  readonly cpus: number;
  /** The text of a file (absolute); undefined when there is none. @throws Error when it cannot be read */
  read(path: string): string | undefined;
  /** Makes a file (absolute); false when there is one already, which stays as it is. @throws Error when it cannot */
  create(path: string, text: string): boolean;
  /** Runs a JavaScript or TypeScript file and gives its module namespace. */
  loadModule(file: string): Promise<unknown>;
}

export interface ImportOptions {
  /** PM2: which `env_<name>` to take. */
  readonly env?: string;
}

/** Imports `path`, or says why it cannot. */
export async function importFile(
  path: string,
  host: ImportHost,
  options: ImportOptions = {},
): Promise<ImportResult | { readonly problem: string }> {
  const file = resolve(host.cwd, path);
  try {
    const text = host.read(file);
    if (text === undefined) return { problem: `${path}: there is no such file` };
    if (text.length > configBytesMax)
      return { problem: `${path}: has ${text.length} characters; ${configBytesMax} are allowed` };
    const hasEnvFile = host.read(join(dirname(file), ".env")) !== undefined;
    const extension = extname(file);
    if (basename(file).startsWith("Procfile")) return importProcfile(text, { hasEnvFile });
    if (/^\.[cm]?[jt]s$/.test(extension))
      return importValue(await moduleValue(file, host), path, { hasEnvFile, ...options }, host);
    if (!/^\.(?:json|ya?ml)$/.test(extension)) return { problem: `${path}: ${unknownKind}` };
    const value = dataOf(text, path);
    return "problem" in value ? value : importValue(value.value, path, { hasEnvFile, ...options }, host);
  } catch (error) {
    return {
      problem: `${path}: cannot be read: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`,
    };
  }
}

const unknownKind =
  "is not a file that colos imports; those are PM2 ecosystem files, Procfile, process-compose, docker compose and package.json";

function importValue(
  value: unknown,
  path: string,
  { hasEnvFile, env }: ImportOptions & { readonly hasEnvFile: boolean },
  { cpus }: ImportHost,
): ImportResult | { readonly problem: string } {
  if (basename(path) === "package.json") return importPackage(value);
  if (
    Array.isArray(value) ||
    (isPlainObject(value) && (Array.isArray(value["apps"]) || isPlainObject(value["apps"])))
  ) {
    return importPm2(value, { cpus, ...(env === undefined ? {} : { env }) });
  }
  if (isPlainObject(value) && isPlainObject(value["processes"])) return importProcessCompose(value, { hasEnvFile });
  if (isPlainObject(value) && isPlainObject(value["services"])) return importDockerCompose(value);
  return { problem: `${path}: has neither apps (PM2) nor processes (process-compose) nor services (docker compose)` };
}

async function moduleValue(file: string, host: ImportHost): Promise<unknown> {
  const namespace = await host.loadModule(file);
  return isPlainObject(namespace) || typeof namespace === "object"
    ? ((namespace as { readonly default?: unknown } | null)?.default ?? namespace)
    : namespace;
}

function dataOf(text: string, path: string): { readonly value: unknown } | { readonly problem: string } {
  const lines = new LineCounter();
  const document = parseDocument(text.replace(/^\uFEFF/, ""), { lineCounter: lines, prettyErrors: false, merge: true });
  const [error] = document.errors;
  if (error === undefined) return { value: document.toJS() as unknown };
  const { line, column } = positionAt(lines, error.pos[0]);
  return { problem: `${path}:${line}:${column}: ${error.message.split("\n")[0]!}` };
}
