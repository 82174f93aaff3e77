/**
 * Renewal: decides which run is replaced by one of the plan as it is now, and how: one instance at a time, and with a shared
 * socket the old run stays until the new one is ready. Without one it ends first; with a standby, once a new one waits.
 *
 * @module
 */
import type { RunEnd } from "../run/run.ts";
import { firstUnmet } from "./dependencies.ts";
import type { LiveInstance, LiveRun } from "./live.ts";
import { endSentence } from "./outcome.ts";
import type { ServiceRecord } from "./record.ts";
import { runKey } from "./run-key.ts";
import { beginRun } from "./run-start.ts";
import { stopRun } from "./run-stop.ts";
import type { Situation } from "./situation.ts";
import { isStale } from "./stale.ts";
import { renewStandby } from "./standby.ts";

/** Why it is started again for a change that was found when a daemon began. */
const unseenWhy = "what it watches changed while no daemon lived";

/** Takes in what the watched files of a service are. Runs of earlier daemons are replaced when those knew other files; all others began later. */
export function renewUnseen(situation: Situation, service: ServiceRecord, seen: string): void {
  const { plan, watched } = service;
  if (watched === seen) return;
  const at = situation.host.now();
  const isWanted = !situation.record.isDown && service.target === "up" && !service.isRemoved;
  const which = (text: string): string => text.slice(0, text.indexOf(":"));
  if (isWanted && watched !== undefined && which(watched) === which(seen)) {
    for (const { number, current } of situation.instancesOf(service)) {
      if (current !== undefined && current.isAdopted !== true) continue;
      situation.keep({ type: "renewed", at, service: plan.name, instance: number, why: unseenWhy });
    }
  }
  situation.keep({ type: "watched", at, service: plan.name, seen });
}

/** One instance at a time, and only while all others of the service are as they should be. */
export function renewNext(situation: Situation, service: ServiceRecord): void {
  const instances = situation.instancesOf(service);
  const isSettled = (each: LiveInstance): boolean =>
    !situation.isWanted(service, each.number) ||
    (each.current?.phase === "ready" && each.current.stop === undefined && each.next === undefined);
  if (!instances.every(isSettled)) return renewUnready(situation, service, instances);
  const stale = instances.find((each) => situation.isWanted(service, each.number) && isStale(service, each));
  if (stale?.current === undefined) return;
  const { plan } = service;
  const { host } = situation;
  if (plan.listenPort === undefined) {
    // Whoever is to take its place waits first, so that the gap is as short as after a crash.
    if (!renewStandby(situation, service, stale)) return;
    return stopRun(situation, service, stale.current, renewReason(service, stale.current, stale.number));
  }
  // Both accept on the socket that colos holds, so the old one stays until the new one is ready.
  if (firstUnmet(situation, plan) !== undefined) return;
  const leftMs = stale.nextNotBeforeMs - host.monotonicMs();
  if (leftMs > 0) return situation.wake(plan.name, host.now() + leftMs);
  stale.next = beginRun(situation, service, stale, service.instances.get(stale.number)!);
}

/** The new run is ready: it counts from now on, and the old one drains. */
export function takeOver(situation: Situation, service: ServiceRecord, instance: LiveInstance, run: LiveRun): void {
  const old = instance.current;
  instance.current = run;
  instance.next = undefined;
  if (old === undefined) return;
  instance.draining.add(old);
  stopRun(situation, service, old, `${run.id} is ready`, { drains: true });
}

/** The new version does not work: the old one goes on. */
export function holdBack(
  situation: Situation,
  service: ServiceRecord,
  instance: LiveInstance,
  run: LiveRun,
  end: RunEnd,
): void {
  const reason = run.stop?.why ?? endSentence(end);
  situation.keep({
    type: "heldBack",
    at: situation.host.now(),
    service: service.plan.name,
    instance: instance.number,
    key: run.key,
    reason,
  });
}

/** What is not ready anyway makes nobody wait. */
function renewUnready(situation: Situation, service: ServiceRecord, instances: readonly LiveInstance[]): void {
  for (const each of instances) {
    const { current } = each;
    if (current === undefined || current.stop !== undefined || current.phase === "ready" || each.next !== undefined)
      continue;
    if (situation.isWanted(service, each.number) && isStale(service, each))
      stopRun(situation, service, current, renewReason(service, current, each.number));
  }
}

function renewReason(service: ServiceRecord, run: LiveRun, number: number): string {
  if (run.key !== runKey(service.plan)) return "its config has changed";
  return service.instances.get(number)?.renewWhy ?? "it is started again";
}
