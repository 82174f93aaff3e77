/**
 * Chaos: failure testing of a system that runs: what is asked for is checked, made a plan, and carried out.
 *
 * Guarantees: what cannot or may not be done is refused before anything is struck, and so is a system of which an abort condition
 * holds already. Preparing strikes nobody.
 * Not here: which faults there are (control/chaos.ts), how they are made (injection.ts), when (chaos-schedule.ts).
 *
 * @module
 */
import { randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { abortText } from "../../control/abort-condition.ts";
import {
  chaosLimits,
  chaosFaults,
  type Chaos,
  type ChaosFaultName,
  type ChaosPlan,
  type ChaosRefusal,
  type ChaosRequest,
  type ChaosSkipped,
  type PreparedChaos,
} from "../../control/chaos.ts";
import { ManagerError } from "../../control/manager.ts";
import type { InstanceStatus } from "../../control/service.ts";
import { isAnswered, whatHolds } from "./abort.ts";
import { startChaos } from "./chaos-run.ts";
import { scheduleChaos } from "./chaos-schedule.ts";
import { abilities, injections } from "./injection.ts";
import { isPatternOrTag, selectionOf, tellVictim, victimsOf, type ChaosGround, type Victim } from "./victims.ts";

/** Failure testing of one home. */
export function chaosOn(ground: ChaosGround): Chaos {
  return {
    abilities: () => abilities(ground.home),
    prepare: (request) => prepare(ground, request).catch(refusalOf),
  };
}

function refusalOf(thrown: unknown): ChaosRefusal {
  if (!(thrown instanceof ManagerError)) {
    return { refused: { code: "internal", message: thrown instanceof Error ? thrown.message : String(thrown) } };
  }
  const { code, message, advice } = thrown;
  return { refused: { code, message, ...(advice === undefined ? {} : { advice }) } };
}

async function prepare(ground: ChaosGround, request: ChaosRequest): Promise<PreparedChaos> {
  const { instances } = await ground.manager.list();
  const sets = request.selectors.filter(isPatternOrTag);
  // Refused there when they mean nobody.
  if (sets.length > 0) await ground.manager.list({ names: sets });
  const selection = selectionOf(request.selectors, instances);
  checkNames(request, instances);
  const victims = victimsOf(selection, instances, ground);
  const { faults, skipped } = await sortFaults(request, victims, ground.home);
  checkVictims(victims, faults);
  await checkCalm(request, instances);
  const { perMinute, forMs, settleMs, seed = randomInt(1, chaosLimits.seedMax) } = request;
  const holdMs = Math.min(request.holdMs, forMs);
  const schedule = scheduleChaos({ faults, perMinute, forMs, seed });
  const plan: ChaosPlan = {
    ...{ home: ground.home, seed, victims: victims.map(tellVictim), isAny: selection.isAny, faults, skipped },
    strikes: schedule.map(({ atMs, fault }) => ({ atMs, fault })),
    ...{ forMs, holdMs, settleMs, abortWhen: abortText(request.abortWhen) },
  };
  return { plan, run: (listener) => startChaos({ ground, request, plan, selection, schedule }, listener) };
}

/** @throws ManagerError */
function checkNames({ abortWhen }: ChaosRequest, instances: readonly InstanceStatus[]): void {
  for (const condition of abortWhen) {
    if (!("name" in condition) || condition.name === undefined) continue;
    const { name } = condition;
    if (instances.some((status) => status.name === name || status.service === name)) continue;
    throw new ManagerError("unknown", `the abort condition names "${name}", and there is no such service or instance`);
  }
}

/** Which of the faults work here, on these. @throws ManagerError when none does */
async function sortFaults(
  { faults: wanted, path }: ChaosRequest,
  victims: readonly Victim[],
  home: string,
): Promise<{ readonly faults: readonly ChaosFaultName[]; readonly skipped: readonly ChaosSkipped[] }> {
  const faults: ChaosFaultName[] = [];
  const skipped: ChaosSkipped[] = [];
  for (const fault of new Set(wanted)) {
    const needs = needsOfRequest(fault, victims, path) ?? (await injections[fault].needs(home));
    if (needs === undefined) faults.push(fault);
    else skipped.push({ fault, needs });
  }
  if (faults.length > 0) return { faults, skipped };
  const sentences = skipped.map(({ fault, needs }) => `${fault} needs ${needs}`);
  throw new ManagerError(
    "refused",
    `nothing of it can be injected: ${sentences.join("; ")}`,
    "colos chaos --list shows what works on this machine.",
  );
}

function needsOfRequest(
  fault: ChaosFaultName,
  victims: readonly Victim[],
  path: string | undefined,
): string | undefined {
  const { scope, needsPath } = chaosFaults[fault];
  if (scope === "home" && victims.every(({ kind }) => kind !== "home")) return "the word home among whom it strikes";
  if (scope === "os-process" && victims.every(({ kind }) => kind === "home")) return "a service to strike";
  if (needsPath !== true) return undefined;
  if (path === undefined) return "the file or folder that it is about (--path)";
  return existsSync(path) ? undefined : `a file or folder that is there, and ${path} is not`;
}

/** @throws ManagerError when nobody is there, or may not be struck by whoever asks */
function checkVictims(victims: readonly Victim[], faults: readonly ChaosFaultName[]): void {
  if (faults.every((fault) => chaosFaults[fault].scope !== "os-process")) return;
  const found = victims.map((victim) => ({ victim, osProcesses: victim.osProcesses() }));
  const running = found.filter(({ osProcesses }) => osProcesses.length > 0);
  if (running.length === 0) {
    const names = victims.filter(({ kind }) => kind !== "home").map(({ name }) => name);
    throw new ManagerError(
      "refused",
      `there is nothing to strike: ${names.length === 0 ? "no service has a shim" : `${names.join(", ")} ${names.length === 1 ? "has" : "have"} no OS process`}`,
      "colos ps shows what runs.",
    );
  }
  for (const { victim, osProcesses } of running) {
    const foreign = osProcesses.find(({ osPid }) => !mayBeSignalled(osPid));
    if (foreign === undefined) continue;
    throw new ManagerError(
      "refused",
      `OS process ${foreign.osPid} of ${victim.name} belongs to another user, so only root may strike it`,
      "Run colos chaos as root, or leave it out.",
    );
  }
}

/** kill(2) with signal 0 does nothing, and is refused as any other. */
function mayBeSignalled(osPid: number): boolean {
  try {
    process.kill(osPid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "EPERM";
  }
}

/** @throws ManagerError when it would end before it began */
async function checkCalm({ abortWhen }: ChaosRequest, instances: readonly InstanceStatus[]): Promise<void> {
  const failing = new Set<string>();
  for (const condition of abortWhen) {
    if (condition.kind === "probe" && !(await isAnswered(condition.url))) failing.add(condition.url);
  }
  const holds = whatHolds(abortWhen, {
    instances: new Map(instances.map((status) => [status.name, { status, notReadySinceMs: undefined }])),
    restartsBefore: new Map(instances.map(({ name, restartsCount }) => [name, restartsCount])),
    wereReady: new Set(),
    absentMs: undefined,
    failedMs: (url) => (failing.has(url) ? Infinity : undefined),
    nowMs: performance.now(),
  });
  if (holds === undefined) return;
  throw new ManagerError("refused", `an abort condition holds before anything is struck: ${holds}`, "Repair it first.");
}
