/**
 * `colos show`: all about one service: what it is to be, how its instances are, and how their last runs ended.
 *
 * @module
 */
import type { DependencyPlan, LivePlan, LogsPlan, ReadyPlan, ServicePlan } from "../../control/config.ts";
import type { InstanceDetail, RunHistory, ServiceDetail } from "../../control/manager.ts";
import { spanText } from "../../control/quantity.ts";
import { managerVerb } from "../call.ts";
import { styled } from "../colour.ts";
import { exitCodes } from "../exit-codes.ts";
import { bytesText, durationText, percentText, timeText, uptimeText } from "../figures.ts";
import { readName } from "../names.ts";
import { stateText } from "../plain.ts";
import { plainText } from "../text.ts";
import type { Verb } from "../verb.ts";

export const show: Verb = managerVerb({
  notes: ["For one instance, write its own name, such as web.2."],
  read: readName,
  run: async (name, call) => {
    const detail = await (await call.connect()).show({ name });
    if (call.isJson) call.json(detail);
    else if (!call.isQuiet) call.print(detailLines(detail, call.colour));
    return exitCodes.ok;
  },
});

function detailLines(detail: ServiceDetail, colour: boolean): readonly string[] {
  const { plan, target, instances } = detail;
  const wanted = target === "up" ? "is to be up" : "is stopped until somebody starts it";
  const title = `${styled("bold", plan.name, colour)} ${wanted}${plan.description === undefined ? "" : `; ${plan.description}`}`;
  const alarms = (detail.alarms ?? []).map((each) => styled("yellow", plainText(`! ${each}`), colour));
  const shown = instances.flatMap((each) => ["", ...instanceLines(each, colour)]);
  return [title, ...alarms, ...rows(serviceRows(detail)), ...shown];
}

type Row = readonly [string, string];

function rows(facts: readonly Row[]): readonly string[] {
  const shown = facts.filter(([, text]) => text !== "");
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, text]) => `  ${name.padEnd(width)}  ${plainText(text)}`);
}

function serviceRows({ plan, dependents, limits }: ServiceDetail): readonly Row[] {
  const { run, carrier, cwd, instances, listenPort } = plan;
  const words = run.kind === "program" ? [run.file, ...run.args] : run.command;
  return [
    ["runs", `${words.map(shellWord).join(" ")} (${carrier})`],
    ["in", cwd],
    ["tags", (plan.tags ?? []).map((tag) => `@${tag}`).join(", ")],
    ["instances", String(instances)],
    ["port", listenPort === undefined ? "" : String(listenPort)],
    ["runs at", scheduleText(plan.schedule)],
    ["user", [plan.user, plan.group].filter((each) => each !== undefined).join(", group ")],
    ["nice", plan.nice === undefined ? "" : String(plan.nice)],
    ["variables", variablesText(plan)],
    ["ready", readyText(plan.ready)],
    ["live", liveText(plan.live)],
    ["restart", restartText(plan)],
    ["standby", plan.standby === true ? "the next run of each instance is started ahead" : ""],
    ["on crash", plan.onCrash?.map(shellWord).join(" ") ?? ""],
    ["hook", plan.exhausted.hook?.map(shellWord).join(" ") ?? ""],
    ["stop", stopText(plan)],
    ["reload", listenPort === undefined ? "" : `the old instance has ${spanText(plan.drainMs)} to finish`],
    ["watches", watchText(plan.watch)],
    ["logged", logsText(plan.logs)],
    ["needs", plan.dependsOn.map(dependencyText).join(", ")],
    ["needed by", dependents.join(", ")],
    ...limits.map((limit, at): Row => [at === 0 ? "limits" : "", limit]),
  ];
}

/** Names alone: values may be nobody's business. */
function variablesText({ env, envFiles, secrets }: ServicePlan): string {
  const names = [...Object.keys(env), ...Object.keys(secrets).map((name) => `${name} (secret)`)];
  return [...names, ...envFiles.map((file) => `those of ${file}`)].join(", ");
}

function scheduleText(schedule: ServicePlan["schedule"]): string {
  if (schedule === undefined) return "";
  const { when, timeZone, overlap, missed } = schedule;
  const times = when.kind === "cron" ? when.expression : `every ${spanText(when.everyMs)}`;
  return `${times}${timeZone === undefined ? "" : ` (${timeZone})`}; while it still runs: ${overlap}; missed: ${missed}`;
}

function liveText(live: LivePlan | undefined): string {
  if (live === undefined) return "";
  const { probe, everyMs, failuresMax } = live;
  return `${readyText(probe)}, every ${spanText(everyMs)}; restarted after ${failuresMax} failures`;
}

function stopText({ stopSignal, shutdown }: ServicePlan): string {
  if (shutdown === "brutal") return "SIGKILL at once";
  return `${stopSignal}${shutdown === "infinity" ? ", for as long as it takes" : `, SIGKILL after ${spanText(shutdown)}`}`;
}

function watchText(watch: ServicePlan["watch"]): string {
  if (watch === undefined) return "";
  const { paths, ignore, delayMs } = watch;
  const but = ignore.length === 0 ? "" : `, but not ${ignore.join(", ")}`;
  return `${paths.join(", ")}${but}; restarted ${spanText(delayMs)} after a change`;
}

function logsText({ sizeBytes, ageMs, budgetBytes, forward }: LogsPlan): string {
  const also = forward === undefined ? "" : `; also to ${forward}`;
  return `${bytesText(sizeBytes)} or ${spanText(ageMs)} a file, ${bytesText(budgetBytes)} in all${also}`;
}

/** A word as one could type it. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

function readyText(ready: ReadyPlan): string {
  if (ready.kind === "none") return "when it has run for 300 ms";
  const within = ` within ${spanText(ready.timeoutMs)}`;
  switch (ready.kind) {
    case "port":
      return `port ${ready.port} on ${ready.host}${within}`;
    case "http":
      return `${ready.url} answers${within}`;
    case "exec":
      return `${ready.command.join(" ")} exits with 0${within}`;
    case "log":
      return `writes ${JSON.stringify(ready.pattern)}${within}`;
    case "fd":
      return `writes a line to file descriptor ${ready.fd}${within}`;
    case "notify":
      return `sends READY=1${within}`;
    case "call":
      return `answers ${ready.request}${within}`;
  }
}

function restartText({ restart, maxRestarts, periodMs, backoff, exhausted }: ServicePlan): string {
  if (restart === "temporary") return "never";
  const when = restart === "permanent" ? "always" : "after a failure";
  const pause = `pauses of ${spanText(backoff.initialMs)} to ${spanText(backoff.maxMs)}`;
  return `${when}, ${pause}, ${exhausted.policy} after ${maxRestarts} in ${spanText(periodMs)}`;
}

function dependencyText({ name, condition, onEnd }: DependencyPlan): string {
  const more = [
    ...(condition === "ready" ? [] : [condition]),
    ...(onEnd === "ignore" ? [] : [`${onEnd} when it ends`]),
  ];
  return more.length === 0 ? name : `${name} (${more.join(", ")})`;
}

function instanceLines(instance: InstanceDetail, colour: boolean): readonly string[] {
  const { name, osPid, standbyOsPid, uptimeMs, memoryBytes, cpuPercent, restartsCount, window } = instance;
  const { uptimeMs: _, osPid: __, ...status } = instance;
  const use = [
    ...(osPid === undefined ? [] : [`pid ${osPid}`]),
    ...(uptimeMs === undefined ? [] : [`up ${uptimeText(uptimeMs)}`]),
    ...(memoryBytes === undefined ? [] : [bytesText(memoryBytes)]),
    ...(cpuPercent === undefined ? [] : [percentText(cpuPercent)]),
  ];
  const facts: Row[] = [
    ["process", use.join(", ")],
    ["standby", standbyOsPid === undefined ? "" : `pid ${standbyOsPid}`],
    [
      "restarts",
      `${restartsCount}; ${window.restarts} of ${window.maxRestarts} in the last ${spanText(window.periodMs)}`,
    ],
    ["next start", instance.nextStartAt === undefined ? "" : timeText(instance.nextStartAt)],
    ["files", instance.directory],
    ["logs", instance.logDirectory],
    ...instance.runs.map((each, at): Row => [at === 0 ? "runs" : "", runText(each)]),
  ];
  return [`${styled("bold", name, colour)} = ${stateText(status, colour)}`, ...rows(facts)];
}

function runText({ id, startedAt, readyAt, exit }: RunHistory): string {
  const ready = readyAt === undefined ? "" : `, ready after ${durationText(readyAt - startedAt)}`;
  return `${id} started ${timeText(startedAt)}${ready}${exit === undefined ? "" : `, ${exitText(exit, startedAt)}`}`;
}

function exitText({ code, signal, at, reason }: NonNullable<RunHistory["exit"]>, startedAt: number): string {
  const after = `after ${durationText(Math.max(0, at - startedAt))}`;
  const why = reason === undefined ? "" : `: ${reason}`;
  if (signal !== null) return `ended by ${signal} ${after}${why}`;
  return code === null ? `ended unseen${why}` : `exited with code ${code} ${after}${why}`;
}
