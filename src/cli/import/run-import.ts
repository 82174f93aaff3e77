/**
 * Run import: `colos import <file> [--to colos.config.yaml]`.
 *
 * Guarantees: never overwrites. The config that is written is one that `colos up` reads; what is still wrong in it for this
 * machine is said at the end. Without `to` the config goes to stdout as YAML, and the report to stderr.
 *
 * @module
 */
import { dirname, resolve } from "node:path";
import type { SystemConfig } from "../../control/config.ts";
import { parseConfig } from "../../control/config-parser.ts";
import { exitCodes } from "../exit-codes.ts";
import { configText, configTextKind } from "./config-text.ts";
import type { ImportNote, ImportNoteKind, ImportResult } from "./note.ts";
import { importFile, type ImportHost, type ImportOptions } from "./source-file.ts";

export interface ImportInput extends ImportOptions {
  readonly file: string;
  /** Absent: stdout. */
  readonly to?: string;
}

/** What a command of files does: lines for stdout and stderr, and the exit code. */
export interface FileOutcome {
  readonly exitCode: number;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /** What a program is told; absent when nothing could be done. */
  readonly value?: FileValue;
}

export interface FileValue extends ImportResult {
  /** What `colos up` would still refuse: one sentence each. */
  readonly problems: readonly string[];
  /** The file that was written. */
  readonly wrote?: string;
}

/** Does it. Never rejects. */
export async function runImport({ file, to, ...options }: ImportInput, host: ImportHost): Promise<FileOutcome> {
  const kind = to === undefined ? "yaml" : configTextKind(to);
  if (kind === undefined)
    return refused(`${to}: is not a kind of config that colos writes; those are .ts, .js, .mjs, .json, .yaml, .yml`);
  if (to !== undefined && dirname(resolve(host.cwd, to)) !== dirname(resolve(host.cwd, file))) {
    return refused(`${to}: has to stand beside ${file}, because its paths begin there`);
  }
  const result = await importFile(file, host, options);
  if ("problem" in result) return refused(result.problem);
  const { env } = options;
  if (env !== undefined && !result.report.some(({ key, kind }) => key === `env_${env}` && kind === "taken"))
    return refused(`--env ${env}: nothing in ${file} has env_${env}; leave it out, or name another`);
  const report = reportLines(result, file, host);
  const value = valueOf(result, host);
  if (Object.keys(result.config.services).length === 0) {
    return { exitCode: exitCodes.failed, stdout: [], stderr: [...report, `${file}: nothing in it can be imported`] };
  }
  const text = configText(result.config, kind);
  if (to === undefined) return { exitCode: exitCodes.ok, stdout: text.trimEnd().split("\n"), stderr: report, value };
  const problem = createNew(to, text, host);
  return problem === undefined
    ? { exitCode: exitCodes.ok, stdout: [...report, `wrote ${to}`], stderr: [], value: { ...value, wrote: to } }
    : refused(problem);
}

/** Writes a file that is not there yet. Gives the sentence that says why not. */
export function createNew(path: string, text: string, host: ImportHost): string | undefined {
  try {
    return host.create(resolve(host.cwd, path), text)
      ? undefined
      : `${path}: is there already and stays as it is; remove it or name another`;
  } catch (error) {
    return `${path}: cannot be written: ${(error as Error).message}`;
  }
}

/** What was imported, for a program. */
export function valueOf({ config, report }: ImportResult, host: ImportHost): FileValue {
  return { config, report, problems: leftLines(config, host) };
}

export function refused(problem: string): FileOutcome {
  return { exitCode: exitCodes.usage, stdout: [], stderr: [problem] };
}

const words: Readonly<Record<ImportNoteKind, string>> = {
  taken: "taken over",
  differs: "differs",
  none: "no counterpart",
};

/** Every note, by service, and what `colos up` would still refuse. */
export function reportLines({ config, report }: ImportResult, source: string, host: ImportHost): string[] {
  const lines: string[] = [];
  for (const name of new Set(report.map(({ service }) => service))) {
    lines.push(name ?? source, ...report.filter(({ service }) => service === name).map((note) => noteLine(note)));
  }
  return [...lines, ...leftLines(config, host)];
}

function noteLine({ kind, key, sentence }: ImportNote): string {
  return `  ${words[kind].padEnd(14)}  ${key}: ${sentence}`;
}

function leftLines(config: SystemConfig, { cwd }: ImportHost): string[] {
  if (Object.keys(config.services).length === 0) return [];
  const parsed = parseConfig(config, { source: "to do", directory: cwd, resolve });
  return "problems" in parsed ? parsed.problems.map(({ message }) => message) : [];
}
