/**
 * `colos run`: one program or command in the foreground, supervised, without a daemon.
 *
 * Not here: whether the file exists and what a service may be called (run-plan.ts).
 *
 * @module
 */
import { carrierNames, restartNames } from "../../control/config-limit.ts";
import type { RunningSystem } from "../../control/service.ts";
import { durationMsMax } from "../duration.ts";
import { type ForegroundFace, runForeground } from "../foreground.ts";
import type { CliHost } from "../host.ts";
import { finish, refuse } from "../outcome.ts";
import { type RunInvocation, runPlan } from "../run-plan.ts";
import { plainText } from "../text.ts";
import { helpOption, type Verb } from "../verb.ts";
import { quoted, type Words } from "../words.ts";

export const run: Verb = {
  optionsFirst: true,
  notes: [
    "Its output is passed through unchanged, and its exit code becomes the exit code of colos.",
    "Options stand before the program; everything after it belongs to the program.",
  ],
  options: {
    restart: {
      value: restartNames.join("|"),
      help: "when to start it again after it ended (default: temporary, never)",
    },
    carrier: { value: carrierNames.join("|"), help: "what executes it (default: os-process, or command)" },
    name: { value: "<name>", help: "what to call it (default: the file's name)" },
    env: { value: "<KEY=VALUE>", help: "set an environment variable; may be repeated" },
    cwd: { value: "<folder>", help: "its working directory" },
    shutdown: { value: "<ms>|brutal|infinity", help: "time between the stop signal and SIGKILL (default: 5000)" },
    help: helpOption,
  },
  run: async (words, host) => {
    const planned = runPlan(readRun(words), host.cwd, host.env);
    if ("problems" in planned) return refuse(planned.problems, host);
    const outcome = await runForeground(planned.plan, host, { passthrough: true, face: restartsFace(host) });
    return finish(outcome, host);
  },
};

/** What the words of `colos run` mean. @throws WrongUsage */
export function readRun(words: Words): RunInvocation {
  const [target, ...args] = words.rest;
  if (target === undefined || target === "") {
    throw words.wrong("the program is missing; write colos run <file or command> [args…]");
  }
  const restart = words.choice("restart", restartNames) ?? "temporary";
  const carrier = words.choice("carrier", carrierNames);
  const [name, cwd, shutdown] = [words.last("name"), words.last("cwd"), words.last("shutdown")];
  return {
    target,
    args,
    restart,
    ...(carrier === undefined ? {} : { carrier }),
    ...(name === undefined ? {} : { name }),
    env: Object.fromEntries(words.all("env").map((text) => variable(words, text))),
    ...(cwd === undefined ? {} : { cwd }),
    ...(shutdown === undefined ? {} : { shutdown: shutdownTime(words, shutdown) }),
  };
}

function variable(words: Words, text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw words.wrong(`--env: ${quoted(text)} is not KEY=VALUE`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

function shutdownTime(words: Words, text: string): "brutal" | "infinity" | number {
  if (text === "brutal" || text === "infinity") return text;
  const milliseconds = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (milliseconds >= 1 && milliseconds <= durationMsMax) return milliseconds;
  throw words.wrong(
    `--shutdown: ${quoted(text)} is not brutal, infinity or a whole number of milliseconds from 1 to ${durationMsMax}`,
  );
}

/** Says on stderr why the program is started again, and leaves stdout to it. */
function restartsFace(host: CliHost): ForegroundFace {
  return (system: RunningSystem) =>
    system.subscribe((event) => {
      if (event.type !== "state" || event.status.state !== "backoff") return;
      const { name, reason } = event.status;
      host.stderr.write(`colos: ${name} is restarted${reason === undefined ? "" : `: ${plainText(reason)}`}\n`);
    });
}
