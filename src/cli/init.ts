/**
 * Init: `colos init` writes a config for the folder it is typed in, from what is there.
 *
 * Guarantees: never overwrites; a folder that has a config of any kind is refused. Of several files that could be imported the
 * first in `importable` is taken, and the others are named.
 *
 * @module
 */
import { join } from "node:path";
import type { SystemConfig } from "../control/config.ts";
import { configFileNames } from "./config-file.ts";
import { exitCodes } from "./exit-codes.ts";
import { configText } from "./import/config-text.ts";
import { createNew, type FileOutcome, refused, reportLines, valueOf } from "./import/run-import.ts";
import type { ImportResult } from "./import/note.ts";
import { importFile, type ImportHost } from "./import/source-file.ts";

/** Files that are looked for, the first that exists is taken. */
export const importable: readonly string[] = [
  ...["js", "cjs", "mjs", "json", "yaml", "yml"].map((extension) => `ecosystem.config.${extension}`),
  ...["process-compose.yaml", "process-compose.yml", "Procfile"],
  ...["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml", "package.json"],
];

export interface InitInput {
  readonly kind: "ts" | "json" | "yaml";
}

/** What somebody begins with who has nothing: it runs as it is. */
const example: SystemConfig = {
  services: { clock: { command: ["sh", "-c", "while :; do date; sleep 1; done"], description: "Replace me" } },
};

const ownExample: ImportResult = { config: example, report: [] };

/** Does it. Never rejects. */
export async function runInit({ kind }: InitInput, host: ImportHost): Promise<FileOutcome> {
  const exists = (name: string): boolean => {
    try {
      return host.read(join(host.cwd, name)) !== undefined;
    } catch {
      return true;
    }
  };
  const present = configFileNames.find((name) => exists(name));
  if (present !== undefined)
    return refused(`${present}: is there already and stays as it is; edit it, or remove it first`);
  const [source, ...others] = importable.filter((name) => exists(name));
  const target = `colos.config.${kind}`;
  if (source === undefined) return write(target, ownExample, host, { kind, lines: [] });
  const result = await importFile(source, host);
  if ("problem" in result) return refused(result.problem);
  const report = reportLines(result, source, host);
  const absent = absentMain(result, exists);
  // npm's own start script, when there is none, is this one.
  if (absent !== undefined && exists("server.js"))
    return write(target, { ...result, config: npmDefault(result.config) }, host, { kind, lines: [] });
  const isEmpty = absent !== undefined || Object.keys(result.config.services).length === 0;
  const lines = [
    ...report,
    ...(absent === undefined ? [] : [`${source}: ${absent} does not exist`]),
    ...(isEmpty ? [`${source}: nothing in it can be imported, so the config has an example`] : []),
    ...(others.length === 0 ? [] : [`not imported: ${others.join(", ")}; colos import <file> shows what is in them`]),
  ];
  return write(target, isEmpty ? ownExample : result, host, { kind, lines });
}

/** The file that `node` is to run and that does not exist: `npm init` names one before anybody has written it. */
function absentMain({ config, report }: ImportResult, exists: (name: string) => boolean): string | undefined {
  if (!report.some(({ key }) => key === "main")) return undefined;
  const commands = Object.values(config.services).map(({ command }) => command);
  return commands.find((command) => command?.length === 2 && command[0] === "node" && !exists(command[1]!))?.[1];
}

function npmDefault({ services }: SystemConfig): SystemConfig {
  return {
    services: Object.fromEntries(Object.keys(services).map((name) => [name, { command: ["node", "server.js"] }])),
  };
}

function write(
  target: string,
  result: ImportResult,
  host: ImportHost,
  { kind, lines }: InitInput & { readonly lines: readonly string[] },
): FileOutcome {
  const { config } = result;
  const problem = createNew(target, configText(config, kind), host);
  if (problem !== undefined) return refused(problem);
  const count = Object.keys(config.services).length;
  const wrote = `wrote ${target} with ${count} ${count === 1 ? "service" : "services"}; look at it, then: colos up`;
  return {
    exitCode: exitCodes.ok,
    stdout: [...lines, wrote],
    stderr: [],
    value: { ...valueOf(result, host), wrote: target },
  };
}
