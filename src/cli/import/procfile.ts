/**
 * Procfile: `name: command` lines as a config, with the `.env` beside it.
 *
 * @module
 */
import { Draft, type ImportNote, type ImportResult, importResult, ServiceNames } from "./note.ts";
import { commandOfLine } from "./shell-words.ts";

export interface ProcfileOptions {
  /** Whether a `.env` file stands beside the Procfile. */
  readonly hasEnvFile: boolean;
}

/** What the text of a Procfile means. */
export function importProcfile(text: string, { hasEnvFile }: ProcfileOptions): ImportResult {
  const notes: ImportNote[] = [];
  const names = new ServiceNames();
  const drafts: Draft[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const [, written, command] = /^\s*([\w.-]+):\s*(.+?)\s*$/.exec(line) ?? [];
    const run = command === undefined ? undefined : commandOfLine(command);
    if (written === undefined || run === undefined) {
      notes.push({ kind: "none", key: `line ${at + 1}`, sentence: "is not name: command; nothing is done with it" });
      continue;
    }
    const draft = new Draft(names.fresh(written));
    draft.fields.command = run.command;
    if (run.shellFor === undefined) draft.taken(`runs as ${JSON.stringify(run.command)}`, "command");
    else
      draft.differs(`has ${run.shellFor}, so it runs by sh -c; write the words of a command to do without`, "command");
    if (hasEnvFile) draft.fields.envFiles = [".env"];
    if (written === "release") {
      draft.fields.restart = "temporary";
      draft.differs(
        'runs once; where others are to wait for it, give them dependsOn: { release: { condition: "exitedOk" } }',
        "release",
      );
    }
    drafts.push(draft);
  }
  if (drafts.length > 0) notes.push(...fileNotes(hasEnvFile));
  return importResult(drafts, notes);
}

function fileNotes(hasEnvFile: boolean): ImportNote[] {
  const end: ImportNote = {
    kind: "differs",
    key: "end of a process",
    sentence: "the others go on and it is restarted; foreman ends all of them",
  };
  const port: ImportNote = {
    kind: "differs",
    key: "PORT",
    sentence: 'colos sets no PORT; write env: { PORT: "5000" } where a command needs it',
  };
  const env: ImportNote = { kind: "taken", key: ".env", sentence: "is an env file of each service" };
  return hasEnvFile ? [end, port, env] : [end, port];
}
