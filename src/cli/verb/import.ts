/**
 * `colos import` and `colos init`: configs from the files of other programs.
 *
 * @module
 */
import type { CliHost } from "../host.ts";
import { nodeImportHost } from "../import/node-import-host.ts";
import { type FileOutcome, runImport } from "../import/run-import.ts";
import { runInit } from "../init.ts";
import { plainText } from "../text.ts";
import { helpOption, type Verb } from "../verb.ts";
import type { Words } from "../words.ts";

const jsonOption = { help: "the config and the report as JSON on stdout" };

export const importVerb: Verb = {
  notes: [
    "Reads PM2 ecosystem files, Procfile, process-compose, docker compose and package.json, and",
    "reports what is taken over, what differs and what has no counterpart. Never overwrites a file.",
    "Without --to the config goes to stdout, as YAML.",
  ],
  options: {
    to: { value: "file", help: "write the config to this file; its name says which kind" },
    env: { value: "name", help: "PM2: lay env_<name> over env" },
    json: jsonOption,
    help: helpOption,
  },
  run: async (words, host) => {
    const file = words.one("file");
    if (file === undefined) throw words.wrong("needs a file to import");
    const [to, env] = [words.last("to"), words.last("env")];
    const input = { file, ...(to === undefined ? {} : { to }), ...(env === undefined ? {} : { env }) };
    return tell(await runImport(input, nodeImportHost(host)), words, host);
  },
};

const kinds = ["ts", "json", "yaml"] as const;

export const init: Verb = {
  notes: [
    "Imports the first of ecosystem.config.*, process-compose, Procfile, compose and package.json",
    "that is in this folder; without one it writes an example. Never overwrites a file.",
  ],
  options: {
    kind: { value: "ts|json|yaml", help: "which kind of config to write; default ts" },
    json: jsonOption,
    help: helpOption,
  },
  run: async (words, host) => {
    const [word] = words.rest;
    if (word !== undefined) throw words.wrong(`takes no words; "${plainText(word)}" is too many`);
    const written = words.last("kind") ?? "ts";
    const kind = kinds.find((each) => each === written);
    if (kind === undefined) throw words.wrong(`--kind is one of ${kinds.join(", ")}, not "${plainText(written)}"`);
    return tell(await runInit({ kind }, nodeImportHost(host)), words, host);
  },
};

function tell({ exitCode, stdout, stderr, value }: FileOutcome, words: Words, host: CliHost): number {
  if (words.has("json")) {
    const error = { code: "config", message: stderr.join("\n") };
    host.stdout.write(`${JSON.stringify(value ?? { error })}\n`);
    if (value !== undefined) return exitCode;
  } else for (const line of stdout) host.stdout.write(`${plainText(line)}\n`);
  for (const line of stderr) host.stderr.write(`${plainText(line)}\n`);
  return exitCode;
}
