/**
 * Service rules: what must hold between the fields of one service, each rule with its sentence.
 *
 * Guarantees: every broken rule is reported, at the key that is to be changed.
 * Not here: each field for itself (config-schema.ts), rules between services (config-parser.ts).
 *
 * @module
 */
import type { WrittenLive, WrittenReady, WrittenService } from "./config-schema.ts";
import { parseCron } from "./cron.ts";
import type { CarrierName } from "./service.ts";
import { timeZoneProblem } from "./time-zone.ts";
import { type ConfigPath, shown } from "./value-schema.ts";

/** Takes one problem. */
export type Report = (path: ConfigPath, sentence: string) => void;

/** Reports everything that does not fit together in a service whose fields are each right. */
export function checkService(service: WrittenService, report: Report): void {
  checkRun(service, report);
  checkCarrier(service, report);
  if (service.ready !== undefined) checkReady(service.ready, service, report);
  if (service.live !== undefined) checkLive(service.live, service, report);
  checkSchedule(service, report);
  checkStandby(service, report);
  checkVariables(service, report);
  checkRestarts(service, report);
  const { sizeBytes, budgetBytes } = service.logs ?? {};
  if (sizeBytes !== undefined && budgetBytes !== undefined && budgetBytes < sizeBytes) {
    report(["logs", "budgetBytes"], `${budgetBytes} is less than sizeBytes, which is ${sizeBytes}`);
  }
}

/** What runs it when it does not say. */
export function carrierOf(service: WrittenService): CarrierName {
  return service.carrier ?? (service.command === undefined ? "os-process" : "command");
}

/** Whether a file's name says that it is TypeScript or JavaScript, which is what a program is written in. */
export function isProgramFile(path: string): boolean {
  return /\.[cm]?[jt]s$/.test(path);
}

/**
 * The expression in a `ready.log` written as `/expression/flags`; undefined when it is plain text. Throws the
 * engine's SyntaxError for a wrong expression; `checkService` has refused those.
 */
export function findLogExpression(pattern: string): RegExp | undefined {
  const match = /^\/(.+)\/([dimsuv]*)$/s.exec(pattern);
  return match === null ? undefined : new RegExp(match[1]!, match[2]);
}

function checkRun({ program, command, args, ...service }: WrittenService, report: Report): void {
  if (program === undefined && command === undefined) report([], "has neither program nor command; write one of them");
  if (program !== undefined && command !== undefined) report([], "has both program and command; write one of them");
  if ((program === undefined) === (command === undefined)) return;
  if (service.listenHost !== undefined && service.listen === undefined) {
    report(["listenHost"], "an address to listen on needs a port; add listen");
  }
  if (command !== undefined) {
    const carrier = service.carrier ?? "command";
    if (carrier !== "command") report(["carrier"], `a command cannot run as ${carrier}; its only carrier is command`);
    if (args !== undefined) report(["args"], "belongs to program; put the arguments into command");
    return;
  }
  if (service.carrier === "command") {
    report(["carrier"], "a program cannot run as command; its carriers are coroutine, thread and os-process");
  }
  if (!isProgramFile(program!)) {
    report(["program"], `${shown(program)} is not a TypeScript or JavaScript file; for an executable write command`);
  }
}

/** Keys that change an OS process of its own. */
const osProcessKeys = ["user", "group", "nice", "limits", "stdin", "stopSignal"] as const;

function checkCarrier(service: WrittenService, report: Report): void {
  const carrier = carrierOf(service);
  if (carrier === "os-process" || carrier === "command" || service.program === undefined) return;
  if (service.listen !== undefined) {
    report(["listen"], `a ${carrier} cannot take over a port; carriers that can are os-process and command`);
  }
  for (const key of osProcessKeys) {
    if (service[key] !== undefined) report([key], needsOsProcess(carrier));
  }
  for (const key of ["fd", "notify"] as const) {
    if (service.ready?.[key] !== undefined) report(["ready", key], needsOsProcess(carrier));
  }
}

function needsOsProcess(carrier: CarrierName): string {
  return `a ${carrier} has no OS process of its own to do this with; carriers that have are os-process and command`;
}

const probeKinds = ["port", "http", "exec"] as const;
const readyKinds = ["port", "http", "log", "exec", "fd", "notify", "call"] as const;

function checkReady(ready: WrittenReady, service: WrittenService, report: Report): void {
  checkKinds("ready", readyKinds, ready, report);
  if (ready.log !== undefined) checkLogPattern(ready.log, report);
  if (ready.call !== undefined && service.command !== undefined) {
    report(["ready", "call"], "a command answers no calls; write one of port, http, log, exec, fd and notify");
  }
  if (ready.fd === 3 && service.listen !== undefined) {
    report(["ready", "fd"], "file descriptor 3 is the port that listen hands over; write one from 4 to 9");
  }
}

function checkLive(live: WrittenLive, service: WrittenService, report: Report): void {
  checkKinds("live", probeKinds, live, report);
  if (service.ready === undefined) {
    report(["live"], "would look at a service that may still be starting, since it counts as ready at once; add ready");
  }
}

function checkKinds<Kind extends string>(
  key: "ready" | "live",
  known: readonly Kind[],
  written: { readonly [Name in Kind | "host"]?: unknown },
  report: Report,
): void {
  const kinds = known.filter((kind) => written[kind] !== undefined);
  const choice = `write one of ${known.slice(0, -1).join(", ")} and ${known.at(-1)}`;
  if (kinds.length !== 1) report([key], `has ${kinds.join(" and ") || "no check"}; ${choice}`);
  else if (written.host !== undefined && kinds[0] !== "port") report([key, "host"], "belongs to port only");
}

function checkLogPattern(pattern: string, report: Report): void {
  try {
    findLogExpression(pattern);
  } catch (error) {
    report(["ready", "log"], `${shown(pattern)} is not an expression: ${(error as Error).message}`);
  }
}

function checkSchedule({ schedule, restart, instances = 1 }: WrittenService, report: Report): void {
  if (schedule === undefined) return;
  const { cron, everyMs, timeZone } = schedule;
  if (cron === undefined && everyMs === undefined) report(["schedule"], "has no times; write one of cron and everyMs");
  if (cron !== undefined && everyMs !== undefined)
    report(["schedule"], "has cron and everyMs; write one of cron and everyMs");
  if (cron !== undefined) reportProblem(["schedule", "cron"], findCronProblem(cron), report);
  if (timeZone !== undefined) {
    const problem = cron === undefined ? "belongs to cron only" : timeZoneProblem(timeZone);
    reportProblem(["schedule", "timeZone"], problem, report);
  }
  if (restart === "permanent") {
    report(
      ["restart"],
      "a job with a schedule rests when it has ended; write temporary, or transient to repeat failures",
    );
  }
  if (instances > 1) report(["instances"], "a job with a schedule has one instance; for more write more jobs");
}

function findCronProblem(expression: string): string | undefined {
  const parsed = parseCron(expression);
  return "problem" in parsed ? parsed.problem : undefined;
}

function reportProblem(path: ConfigPath, problem: string | undefined, report: Report): void {
  if (problem !== undefined) report(path, problem);
}

/** What is started ahead is for an end that nobody asked for. */
function checkStandby(service: WrittenService, report: Report): void {
  if (service.standby !== true) return;
  const carrier = carrierOf(service);
  if (carrier !== "os-process" && carrier !== "command") report(["standby"], needsOsProcess(carrier));
  if (service.schedule !== undefined) {
    report(["standby"], "a job rests between its times, so nothing waits to take over; leave one of them out");
  } else if (service.restart === "temporary") {
    report(["standby"], "a temporary service is never started again; write permanent or transient, or leave it out");
  }
}

function checkVariables({ env = {}, secrets = {} }: WrittenService, report: Report): void {
  for (const name of Object.keys(secrets)) {
    if (Object.hasOwn(env, name)) report(["secrets", name], "stands in env too; write it in one of them");
  }
}

function checkRestarts({ backoff, exhausted }: WrittenService, report: Report): void {
  const { initialMs, maxMs } = backoff ?? {};
  if (initialMs !== undefined && maxMs !== undefined && maxMs < initialMs) {
    report(["backoff", "maxMs"], `${maxMs} is less than initialMs, which is ${initialMs}`);
  }
  if (exhausted?.policy === "failed" && exhausted.retryEveryMs !== undefined) {
    report(["exhausted", "retryEveryMs"], "belongs to the policy degraded; failed tries no more");
  }
}
