/**
 * Manager view: what a person is told about services, made of the record, the live runs and samples of the OS.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import type { ServicePlan } from "../../control/config.ts";
import type { Cause, InstanceDetail, RunExit, RunHistory, ServiceDetail, TreeNode } from "../../control/manager.ts";
import type { ListedProcesses } from "../../control/program-call.ts";
import { spanText } from "../../control/quantity.ts";
import type { InstanceState, InstanceStatus } from "../../control/service.ts";
import { cpuPercent, sampleProcesses, type GroupSample } from "../../os/process-sample.ts";
import type { Core } from "../core/core.ts";
import { endSentence, usedUpText } from "../core/outcome.ts";
import { runsOf, type LiveInstance } from "../core/live.ts";
import type { InstanceRecord, RunRecord, ServiceRecord } from "../core/record.ts";
import { instanceFolder, logFolder, type Home } from "../home.ts";

/** Milliseconds for which a sample of memory and CPU is good enough. */
export const sampleEveryMs = 1_000;
/** Notes of a service that `why` repeats. */
export const whyNotesMax = 5;
/** Instances that are named as waiting for colos itself. */
export const postponedNamesMax = 5;
/** How deep `why` follows dependencies. */
export const whyDepthMax = 20;

/** Memory and CPU of OS process groups, looked at no more often than `sampleEveryMs`. */
export class Samples {
  #before = new Map<number, GroupSample>();
  #now = new Map<number, GroupSample>();
  #takenMs = -Infinity;

  /** Looks again when the last look is too old. */
  take(groups: readonly number[]): void {
    if (performance.now() - this.#takenMs < sampleEveryMs) return;
    this.#takenMs = performance.now();
    this.#before = this.#now;
    this.#now = sampleProcesses(groups);
  }

  of(group: number): { readonly memoryBytes?: number; readonly cpuPercent?: number } {
    const now = this.#now.get(group);
    const before = this.#before.get(group);
    if (now === undefined) return {};
    const cpu = before === undefined ? {} : { cpuPercent: cpuPercent(before, now) };
    return { memoryBytes: now.residentBytes, ...cpu };
  }
}

/** The status of one instance. `lastLogLine` is what it wrote last, when that is known. */
export function statusOf(service: ServiceRecord, live: LiveInstance, samples: Samples, now: number): InstanceStatus {
  const { plan } = service;
  const record = service.instances.get(live.number);
  const { current, standby, reason, state, name, number } = live;
  const osPid = current?.osPid;
  const standbyOsPid = standby?.osPid;
  return {
    name,
    service: plan.name,
    instance: number,
    carrier: plan.carrier,
    ...(plan.tags === undefined ? {} : { tags: plan.tags }),
    state,
    restartsCount: record?.restartsCount ?? 0,
    ...(reason === undefined ? {} : { reason }),
    ...(osPid === undefined ? {} : { osPid, ...samples.of(osPid) }),
    ...(standbyOsPid === undefined ? {} : { standbyOsPid }),
    ...(current === undefined ? {} : { uptimeMs: Math.max(0, now - current.startedAt) }),
  };
}

/** Everything about one service. */
export function detailOf(service: ServiceRecord, core: Core, samples: Samples, home: Home, now: number): ServiceDetail {
  const { plan, target } = service;
  const dependents = [...core.record.services.values()]
    .filter(({ plan: other }) => other.dependsOn.some(({ name }) => name === plan.name))
    .map(({ plan: other }) => other.name);
  const instances = core.live(service).map((live): InstanceDetail => {
    const record = service.instances.get(live.number)!;
    const next = nextStartAt(service, record, core);
    return {
      ...statusOf(service, live, samples, now),
      runs: record.runs.map(historyOf),
      window: {
        restarts: record.restartsAt.filter((at) => now - at <= plan.periodMs).length,
        maxRestarts: plan.maxRestarts,
        periodMs: plan.periodMs,
      },
      ...(next === undefined ? {} : { nextStartAt: next }),
      logDirectory: logFolder(home, plan.name, live.number),
      directory: instanceFolder(home, plan.name, live.number),
    };
  });
  return { plan, target, instances, dependents, limits: [] };
}

function nextStartAt(service: ServiceRecord, record: InstanceRecord, core: Core): number | undefined {
  if (record.outcome?.kind === "again" && record.runs[0]?.end !== undefined) return record.outcome.notBeforeAt;
  return service.plan.schedule === undefined ? undefined : core.nextTime(service);
}

function historyOf({ id, startedAt, readyAt, osPid, end, stopping }: RunRecord): RunHistory {
  const reason = end?.lost ?? stopping?.why;
  const exit: RunExit | undefined =
    end === undefined
      ? undefined
      : { code: end.code, signal: end.signal, at: end.at, ...(reason === undefined ? {} : { reason }) };
  return {
    id,
    startedAt,
    ...(readyAt === undefined ? {} : { readyAt }),
    ...(osPid === undefined ? {} : { osPid }),
    ...(exit === undefined ? {} : { exit }),
  };
}

/** The causal chain of a service's state. `lastWords`: what an instance's last run said on stderr, by the instance's name. */
export function whyOf(
  core: Core,
  service: ServiceRecord,
  lastWords: ReadonlyMap<string, string>,
  only?: number,
  depth = 0,
): Cause {
  const { plan } = service;
  const lives = core.live(service).filter(({ number }) => only === undefined || number === only);
  const causes = lives.map((live) => whyInstance(core, service, live, lastWords, depth));
  const [first] = causes;
  if (causes.length === 1 && first !== undefined) return first;
  const ready = lives.filter(({ state }) => state === "ready").length;
  return { sentence: `${plan.name}: ${ready} of ${lives.length} instances are ready`, causes };
}

function whyInstance(
  core: Core,
  service: ServiceRecord,
  live: LiveInstance,
  lastWords: ReadonlyMap<string, string>,
  depth: number,
): Cause {
  const { plan, target } = service;
  const record = service.instances.get(live.number);
  const causes: Cause[] = [];
  const last = record?.runs.find(({ id }) => id === live.current?.id);
  if (live.state === "waiting" && depth < whyDepthMax) {
    for (const { name } of plan.dependsOn) {
      const other = core.record.services.get(name);
      if (other !== undefined && core.live(other).some(({ state }) => state !== "ready")) {
        causes.push(whyOf(core, other, new Map(), undefined, depth + 1));
      }
    }
  }
  if (record?.outcome !== undefined) causes.push(...whyOutcome(plan, record, lastWords.get(live.name)));
  if (live.state === "scheduled") causes.push(...whyScheduled(core, service));
  if (target === "down") causes.push(...notesOf(core, plan.name));
  if (live.state === "ready" && last?.readyAt !== undefined) {
    causes.push({ at: last.readyAt, sentence: `${last.id} passed its readiness check${checkText(plan)}`, causes: [] });
    causes.push({
      at: last.startedAt,
      sentence: `${last.id} was started${last.osPid === undefined ? "" : ` as OS process ${last.osPid}`}`,
      // Else it has been told above.
      causes: record?.outcome === undefined && record?.heldBack === undefined ? previousEnd(record) : [],
    });
    if (record?.heldBack !== undefined && record.outcome === undefined)
      causes.unshift(...whyOutcome(plan, record, lastWords.get(live.name)).slice(0, 1));
  }
  if (live.standby === undefined && live.standbyEnd !== undefined)
    causes.push({
      sentence: `nothing stands by: the last standby ended before its turn: ${live.standbyEnd}`,
      causes: [],
    });
  const reason = live.reason === undefined ? "" : `: ${live.reason}`;
  return { sentence: `${live.name} is ${stateWords(live.state)}${reason}`, causes };
}

function checkText({ ready }: ServicePlan): string {
  switch (ready.kind) {
    case "none":
      return ", which is none: it counts as ready when it has run for 300 ms";
    case "port":
      return ` (port ${ready.port})`;
    case "http":
      return ` (GET ${ready.url})`;
    default:
      return ` (${ready.kind})`;
  }
}

function previousEnd(record: InstanceRecord | undefined): Cause[] {
  const ended = record?.runs.find(({ end }) => end !== undefined);
  return ended?.end === undefined ? [] : [endCause(ended)];
}

function endCause(run: RunRecord): Cause {
  const end = run.end!;
  const why =
    run.stopping === undefined
      ? []
      : [{ at: run.stopping.at, sentence: `it was told to end: ${run.stopping.why}`, causes: [] }];
  return { at: end.at, sentence: `${run.id} ended: ${endSentence(end)}`, causes: why };
}

function whyScheduled(core: Core, service: ServiceRecord): Cause[] {
  const at = core.nextTime(service);
  return at === undefined ? [] : [{ at, sentence: `${service.plan.name} runs again at its next time`, causes: [] }];
}

/** A state as it stands in a sentence. */
export function stateWords(state: InstanceState): string {
  return state === "backoff" ? "in backoff" : state;
}

function whyOutcome(plan: ServicePlan, record: InstanceRecord, lastWords: string | undefined): Cause[] {
  const ends = record.runs.filter(({ end }) => end !== undefined).slice(0, whyNotesMax);
  const causes: Cause[] = [];
  if (record.isExhausted) {
    causes.push({
      sentence: `${usedUpText(plan)}, so it is tried every ${spanText(plan.exhausted.retryEveryMs)}`,
      causes: [],
    });
  }
  const isNewest = ends[0] !== undefined && ends[0] === record.runs[0];
  const words: Cause[] =
    lastWords === undefined || !isNewest ? [] : [{ sentence: `it said: ${lastWords}`, causes: [] }];
  const told = ends.map(endCause);
  return [...causes, ...told.map((each, at) => (at === 0 ? { ...each, causes: [...each.causes, ...words] } : each))];
}

function notesOf(core: Core, name: string): Cause[] {
  const notes = core.record.notes.filter(({ service }) => service === name).slice(-whyNotesMax);
  return notes.toReversed().map(({ at, sentence }) => ({ at, sentence, causes: [] }));
}

/** Who waits to be started because colos itself is short of something: one sentence, or none. */
export function postponedSentence(core: Core): readonly string[] {
  const waiting = [...core.record.services.values()].flatMap((service) =>
    core.live(service).flatMap(({ name, number, current }) => {
      const outcome = service.instances.get(number)?.outcome;
      const isThere = current !== undefined && current.phase !== "asked";
      const isPostponed = outcome?.kind === "again" && outcome.isOwnTrouble === true && !isThere;
      return isPostponed ? [{ name, reason: outcome.reason }] : [];
    }),
  );
  const [first] = waiting;
  if (first === undefined) return [];
  const names = waiting.slice(0, postponedNamesMax).map(({ name }) => name);
  const more = waiting.length > names.length ? ` and ${waiting.length - names.length} more` : "";
  return [`${names.join(", ")}${more} cannot be started for now: ${first.reason}`];
}

/** What hangs on what. */
export function treeOf(core: Core, home: Home, parts: RunParts): TreeNode {
  const services = [...core.record.services.values()].map((service): TreeNode => {
    const lives = core.live(service);
    const ready = lives.filter(({ state }) => state === "ready").length;
    const after = service.plan.dependsOn.map(({ name }) => name).join(", ");
    return {
      kind: "service",
      name: service.plan.name,
      text: `${ready} of ${lives.length} ready${after === "" ? "" : `, after ${after}`}`,
      children: lives.map((live) => instanceNode(live, parts)),
    };
  });
  return { kind: "system", name: home.root, text: `${services.length} services`, children: services };
}

/** What a run is made of. */
export interface RunParts {
  members(run: string): readonly OsProcess[];
  /** Of its program of processes; undefined when it has none, or does not say. */
  processes(run: string): ListedProcesses | undefined;
}

/** An OS process, for the tree. */
export interface OsProcess {
  readonly osPid: number;
  readonly command: string;
}

/** What it executes; an empty command for one that is gone. */
export function osProcess(osPid: number): OsProcess {
  try {
    const words = readFileSync(`/proc/${osPid}/cmdline`, "utf8")
      .split("\0")
      .filter((word) => word !== "");
    return { osPid, command: words.join(" ") };
  } catch {
    return { osPid, command: "" };
  }
}

function instanceNode(live: LiveInstance, parts: RunParts): TreeNode {
  const children = runsOf(live).flatMap(({ id, osPid, isStandby }) =>
    parts.members(id).map((member): TreeNode => {
      const listed = member.osPid === osPid ? parts.processes(id) : undefined;
      const inside = listed === undefined ? [] : processNodes(listed);
      const text = isStandby ? `stands by: ${member.command}` : member.command;
      return { kind: "os-process", name: String(member.osPid), text, children: inside };
    }),
  );
  return {
    kind: "instance",
    name: live.name,
    text: live.reason === undefined ? live.state : `${live.state}: ${live.reason}`,
    children,
  };
}

function processNodes({ processes, processesCount }: ListedProcesses): TreeNode[] {
  const nodes = processes.map(({ name, status, messagesCount }): TreeNode => {
    return { kind: "process", name, text: `${status}, ${messagesCount} messages wait`, children: [] };
  });
  const left = processesCount - processes.length;
  if (left <= 0) return nodes;
  return [...nodes, { kind: "process", name: "…", text: `${left} more processes`, children: [] }];
}
