/**
 * `colos startup`: what makes the machine start colos when it boots: shown, installed, or taken away.
 *
 * Guarantees: without --write and --remove nothing is changed. A config that is wrong is refused: it would be at every boot.
 *
 * @module
 */
import { managerVerb, type Call } from "../call.ts";
import { exitCodes } from "../exit-codes.ts";
import type { StartupAction } from "../host.ts";
import { inheritedEnv } from "../inherited.ts";
import type { Verb } from "../verb.ts";
import type { Words } from "../words.ts";

interface StartupInput {
  readonly action: "show" | "write" | "remove";
  readonly system: StartupAction["system"];
  readonly isUser: boolean;
  readonly name: string;
  readonly runAs: string | undefined;
  readonly config: string | undefined;
}

export const startup: Verb = managerVerb<StartupInput>({
  notes: [
    "Prints a unit for systemd, a script for OpenRC or a line for cron, and the commands to type.",
    "Without [config], the config in the working directory, as with colos up.",
  ],
  options: {
    write: { help: "install it" },
    remove: { help: "take it away; what runs goes on" },
    user: { help: "for this user, not for the machine; the default unless root" },
    "run-as": { value: "<user>", help: "for the machine: who runs it; default root" },
    name: { value: "<name>", help: "of the unit, one for each home; default colos" },
    system: { value: "<system>", help: "systemd, openrc or cron; default what the machine has" },
  },
  read,
  run,
});

function read(words: Words): StartupInput {
  if (words.has("write") && words.has("remove")) throw words.wrong("--write and --remove are opposites; leave one out");
  if (words.has("user") && words.has("run-as"))
    throw words.wrong("--run-as is for a unit of the machine; leave --user out");
  return {
    action: words.has("write") ? "write" : words.has("remove") ? "remove" : "show",
    system: words.choice("system", ["systemd", "openrc", "cron"]),
    isUser: words.has("user"),
    name: words.last("name") ?? "colos",
    runAs: words.last("run-as"),
    config: words.one("config"),
  };
}

async function run({ action, system, isUser, name, runAs, config }: StartupInput, call: Call): Promise<number> {
  const { host, home } = call;
  const file = action === "remove" ? "" : await configFile(config, call);
  if (file === undefined) return exitCodes.usage;
  const told = await host.startup({
    action,
    ...(system === undefined ? {} : { system }),
    scope: isUser || (host.userId !== 0 && runAs === undefined) ? "user" : "system",
    name,
    home,
    config: file,
    env: runAs === undefined ? inheritedEnv(host.env) : withoutPerson(inheritedEnv(host.env)),
    ...(runAs === undefined ? {} : { user: runAs }),
  });
  if (call.isJson) call.json({ action, text: told });
  else if (action === "show" || call.isTalking) host.stdout.write(told);
  return exitCodes.ok;
}

/** What says who is asking is wrong for another user; the system sets it for whom it starts. */
function withoutPerson(env: Readonly<Record<string, string>>): Record<string, string> {
  const ofPerson = new Set(["HOME", "USER", "LOGNAME", "SHELL", "TMPDIR"]);
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ofPerson.has(name)));
}

/** Absolute; undefined when it was refused. */
async function configFile(config: string | undefined, { host }: Call): Promise<string | undefined> {
  const { loadConfigFile } = await import("../config-file.ts");
  const loaded = await loadConfigFile(config, host);
  if (!("problems" in loaded)) return loaded.file;
  const { refuse } = await import("../outcome.ts");
  refuse(loaded.problems, host);
  return undefined;
}
