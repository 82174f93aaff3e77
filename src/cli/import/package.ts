/**
 * Package: the program that `npm start` runs, as a service.
 *
 * @module
 */
import { isPlainObject } from "../../control/value-schema.ts";
import { Draft, type ImportResult, importResult, ServiceNames } from "./note.ts";
import { commandOfLine } from "./shell-words.ts";
import { textOf } from "./values.ts";

/** Programs that a script may name without standing in `node_modules/.bin`. */
const installed: ReadonlySet<string> = new Set(["node", "bun", "deno", "python3", "python", "sh", "bash"]);

/** What a package.json says about what to run: its start script, or its main file. */
export function importPackage(value: unknown): ImportResult {
  if (!isPlainObject(value)) return importResult([], []);
  const scripts = isPlainObject(value["scripts"]) ? value["scripts"] : {};
  const start = textOf(scripts["start"]);
  const main = textOf(value["main"]);
  const draft = new Draft(new ServiceNames().of((textOf(value["name"]) ?? "app").replace(/^@[^/]*\//, "")));
  if (start !== undefined) {
    const run = commandOfLine(start);
    const isPlain = run !== undefined && run.shellFor === undefined && installed.has(run.command[0]);
    draft.fields.command = isPlain ? run.command : ["npm", "run", "--silent", "start"];
    if (isPlain) draft.taken(`runs as ${JSON.stringify(run.command)}`, "scripts.start");
    else
      draft.differs(
        "runs through npm, which is one more OS process; write the command itself to do without",
        "scripts.start",
      );
  } else if (main !== undefined) {
    draft.fields.command = ["node", main];
    draft.taken(`runs as ["node",${JSON.stringify(main)}]`, "main");
  } else {
    return importResult(
      [],
      [{ kind: "none", key: "scripts.start", sentence: "is missing, and main too, so there is nothing to run" }],
    );
  }
  const others = Object.keys(scripts).filter((name) => /^(?:worker|serve|server|web|queue|scheduler)\b/.test(name));
  for (const name of others) {
    draft.none(
      `is left out; for a service of its own write { command: ["npm", "run", "--silent", "${name}"] }`,
      `scripts.${name}`,
    );
  }
  return importResult([draft], []);
}
