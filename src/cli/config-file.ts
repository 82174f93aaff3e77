/**
 * Config file: finds the config of a system, reads it and gives its plan, or the sentences that say what is wrong
 * with it, each with the file and, for data files, the line.
 *
 * Guarantees: a plan's programs, working folders and executables existed when it was read. JSON is strict (no
 * comments, no trailing commas) and a key written twice is refused, in JSON as in YAML. A config that is code
 * (`.ts`, `.js`, `.mjs`) runs with the rights of the person who typed the command.
 * Limits: `configBytesMax` for data files; positions are known for data files only.
 * Not here: what a config may say (control/config-parser.ts), how a TypeScript file is run (the caller's `loadModule`).
 *
 * @module
 */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { LineCounter, parseDocument } from "yaml";
import type { ServicePlan, SystemPlan } from "../control/config.ts";
import type { ConfigProblem, ConfigSource, ParseConfigOptions } from "../control/config-parser.ts";
import type { ConfigPath } from "../control/value-schema.ts";
import { configProblem, parseConfig } from "../control/config-parser.ts";
import type { ModuleProblem } from "./host.ts";
import { type ConfigPositions, configPositions, positionAt } from "./config-positions.ts";
import { fileKind, findExecutableProblem } from "./executable.ts";
import { findJsonError } from "./json-syntax.ts";

/** Bytes of a JSON or YAML config. */
export const configBytesMax: number = 4 * 1024 * 1024;

/** Where a config is looked for when none is named; the first that exists is taken. */
export const configFileNames: readonly string[] = [
  "colos.config.ts",
  "colos.config.js",
  "colos.config.mjs",
  "colos.config.json",
  "colos.config.yaml",
  "colos.config.yml",
];

/** What loading needs from the host. */
export interface ConfigHost {
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Runs a TypeScript or JavaScript file and gives its module namespace; rejects as CliHost's does. */
  loadModule(file: string): Promise<unknown>;
}

/** A config that is right. */
export interface LoadedConfig {
  /** Absolute. */
  readonly file: string;
  /** What to call the system: the folder's name, or the file's when it is not called `colos.config`. */
  readonly name: string;
  readonly plan: SystemPlan;
  /** How messages name it, and where each key stands. */
  readonly source: ConfigSource;
}

export type LoadConfigResult = LoadedConfig | { readonly problems: readonly string[] };

/** Loads the config at `path` (a file, or a folder that holds one), or the one in the working directory. Never rejects. */
export async function loadConfigFile(path: string | undefined, host: ConfigHost): Promise<LoadConfigResult> {
  const found = findConfigFile(path, host.cwd);
  if ("problem" in found) return { problems: [found.problem] };
  const { file, source } = found;
  const read = await readConfig(file, source, host);
  if ("problems" in read) return read;

  const directory = dirname(file);
  const options: ParseConfigOptions = { ...read, directory, resolve };
  const parsed = parseConfig(read.value, options);
  const problems = "problems" in parsed ? parsed.problems : missingFiles(parsed.plan, options, host.env);
  if ("problems" in parsed || problems.length > 0) return { problems: problems.map(({ message }) => message) };
  return { file, name: systemName(file), plan: parsed.plan, source: read };
}

/** What is wrong with a plan that only a look at the disk can show. */
export function missingFiles(
  plan: SystemPlan,
  source: ConfigSource & { readonly directory: string },
  env: Readonly<Record<string, string | undefined>>,
): readonly ConfigProblem[] {
  return plan.services.flatMap((service) =>
    missingFilesOf(service, source.directory, env).map(([key, sentence]) =>
      configProblem(source, ["services", service.name, ...key], sentence),
    ),
  );
}

type Problems = { readonly problems: readonly string[] };
type ReadConfig = ConfigSource & { readonly value: unknown };

function findConfigFile(path: string | undefined, cwd: string): { file: string; source: string } | { problem: string } {
  const named = resolve(cwd, path ?? ".");
  if (path !== undefined && fileKind(named) !== "folder") {
    return fileKind(named) === "file" ? { file: named, source: path } : { problem: `${path}: there is no such file` };
  }
  const name = configFileNames.find((candidate) => fileKind(join(named, candidate)) === "file");
  if (name !== undefined) return { file: join(named, name), source: path === undefined ? name : join(path, name) };
  const where = path === undefined ? "this folder" : path;
  return {
    problem: `colos: there is no colos.config.(ts|js|mjs|json|yaml|yml) in ${where}; write one, or name a file; colos init writes one from what is there`,
  };
}

function systemName(file: string): string {
  const name = basename(file, extname(file));
  return name === "colos.config" ? basename(dirname(file)) || "colos" : name;
}

function readConfig(
  file: string,
  source: string,
  host: ConfigHost,
): Promise<ReadConfig | Problems> | ReadConfig | Problems {
  switch (extname(file)) {
    case ".ts":
    case ".js":
    case ".mjs":
      return readModule(file, source, host);
    case ".json":
      return readData(file, source, readJson);
    case ".yaml":
    case ".yml":
      return readData(file, source, readYaml);
    default:
      return problem(
        `${source}: is not a kind of config that colos reads; those are .ts, .js, .mjs, .json, .yaml, .yml`,
      );
  }
}

function readData(
  file: string,
  source: string,
  read: (text: string, source: string) => ReadConfig | Problems,
): ReadConfig | Problems {
  try {
    const sizeBytes = statSync(file).size;
    if (sizeBytes > configBytesMax) return problem(`${source}: has ${sizeBytes} bytes; ${configBytesMax} are allowed`);
    return read(readFileSync(file, "utf8").replace(/^\uFEFF/, ""), source);
  } catch (error) {
    return problem(`${source}: cannot be read: ${firstLine(error)}`);
  }
}

function readJson(text: string, source: string): ReadConfig | Problems {
  const error = findJsonError(text);
  if (error !== undefined) return problem(`${source}:${lineAndColumn(text, error.offset)}: ${error.sentence}`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false });
  return readDocument(configPositions(document, lines), source, () => JSON.parse(text) as unknown);
}

function readYaml(text: string, source: string): ReadConfig | Problems {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false, merge: true });
  // What comes after the first error of a syntax mostly follows from it.
  const [error] = [...document.errors, ...document.warnings];
  if (error !== undefined) {
    const { line, column } = positionAt(lines, error.pos[0]);
    return problem(`${source}:${line}:${column}: ${error.message.split("\n")[0]!}`);
  }
  return readDocument(configPositions(document, lines), source, () => document.toJS() as unknown);
}

function readDocument(positions: ConfigPositions, source: string, value: () => unknown): ReadConfig | Problems {
  const config = { source, locate: positions.locate };
  if (positions.duplicates.length === 0) return { ...config, value: value() };
  const problems = positions.duplicates.map(({ path, position, first }) => {
    const here: ConfigSource = { source, locate: () => position };
    return configProblem(here, path, `is written twice, first on line ${first.line}`).message;
  });
  return { problems };
}

function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return `${before.length}:${before.at(-1)!.length + 1}`;
}

async function readModule(file: string, source: string, host: ConfigHost): Promise<ReadConfig | Problems> {
  let loaded: unknown;
  try {
    loaded = await host.loadModule(file);
  } catch (error) {
    return { problems: moduleProblems(error, realFile(file), source, host.cwd) };
  }
  const value = (loaded as { readonly default?: unknown } | undefined)?.default;
  if (value !== undefined) return { source, value };
  return problem(`${source}: has no default export; write export default defineConfig({ services: { … } })`);
}

/** Compilers and stacks name a file by its real path. */
function realFile(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

function moduleProblems(error: unknown, file: string, source: string, cwd: string): readonly string[] {
  if (hasProblems(error)) return error.problems.map((each) => moduleProblem(each, file, source, cwd));
  const line = lineInStack(error, file);
  const what = error instanceof SyntaxError ? "does not compile" : "threw when it was loaded";
  return [`${source}${line === undefined ? "" : `:${line}`}: ${what}: ${firstLine(error)}`];
}

/** The file that does not compile may be one that the config imports. */
function moduleProblem({ file, line, text }: ModuleProblem, config: string, source: string, cwd: string): string {
  if (file === undefined) return `${source}: ${text}`;
  const shown = file === config ? source : nearPath(cwd, file);
  return `${shown}${line === undefined ? "" : `:${line}`}: does not compile: ${text}`;
}

function hasProblems(error: unknown): error is { readonly problems: readonly ModuleProblem[] } {
  const problems = (error as { readonly problems?: unknown } | null | undefined)?.problems;
  return Array.isArray(problems) && problems.length > 0 && problems.every((each) => typeof each?.text === "string");
}

/** The line of the config in the stack; a module's name there may end in a query. */
function lineInStack(error: unknown, file: string): string | undefined {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  for (const name of [pathToFileURL(file).href, file]) {
    const at = stack.indexOf(name);
    const line = at < 0 ? null : /^(?:\?[\w=-]*)?:(\d+)/.exec(stack.slice(at + name.length));
    if (line !== null) return line[1];
  }
  return undefined;
}

function missingFilesOf(
  service: ServicePlan,
  directory: string,
  systemEnv: Readonly<Record<string, string | undefined>>,
): [ConfigPath, string][] {
  const { run, cwd, env, ready, live, exhausted, onCrash, envFiles } = service;
  const problems: [ConfigPath, string][] = [];
  const shown = (path: string) => JSON.stringify(nearPath(directory, path));
  const path = (Object.hasOwn(env, "PATH") ? env["PATH"] : systemEnv["PATH"]) ?? undefined;
  const checkCommand = (key: ConfigPath, [word]: readonly [string, ...string[]]) => {
    if (word.includes("/") && fileKind(cwd) !== "folder") return;
    const sentence = findExecutableProblem(word, cwd, path);
    if (sentence !== undefined) problems.push([key, sentence]);
  };

  if (run.kind === "program") {
    const kind = fileKind(run.file);
    if (kind === "missing") problems.push([["program"], `${shown(run.file)} does not exist`]);
    else if (kind !== "file") problems.push([["program"], `${shown(run.file)} is not a file`]);
  }
  const cwdKind = fileKind(cwd);
  if (cwdKind === "missing") problems.push([["cwd"], `${shown(cwd)} does not exist`]);
  else if (cwdKind !== "folder") problems.push([["cwd"], `${shown(cwd)} is not a folder`]);
  if (run.kind === "command") checkCommand(["command"], run.command);
  if (ready.kind === "exec") checkCommand(["ready", "exec"], ready.command);
  if (live?.probe.kind === "exec") checkCommand(["live", "exec"], live.probe.command);
  if (exhausted.hook !== undefined) checkCommand(["exhausted", "hook"], exhausted.hook);
  if (onCrash !== undefined) checkCommand(["onCrash"], onCrash);
  for (const [at, file] of envFiles.entries()) {
    if (fileKind(file) === "missing") problems.push([["envFiles", at], `${shown(file)} does not exist`]);
  }
  return problems;
}

function nearPath(directory: string, path: string): string {
  const near = relative(directory, path);
  return near === "" || near.startsWith("..") ? path : near;
}

function problem(sentence: string): Problems {
  return { problems: [sentence] };
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n")[0]! || "no reason was given";
}
