/**
 * Victims: whom the selectors of a request mean at a moment.
 *
 * Guarantees: nobody is meant who was not named: `all` and `any` are services; what colos consists of has words of its own. The
 * OS processes of a victim are those that its home says are its own, each with its start ticks; whoever runs chaos is never one.
 *
 * @module
 */
import { suggestionClause } from "../../base/suggestion.ts";
import { chaosWords, ownParts, type ChaosVictim, type OwnPart } from "../../control/chaos.ts";
import { ManagerError, type Manager } from "../../control/manager.ts";
import { parseSelector, selects } from "../../control/selector.ts";
import type { InstanceStatus } from "../../control/service.ts";

/** OS processes of one victim that are struck at once, at most. */
export const membersMax = 64;

/** An OS process that no later one of its number is taken for. */
export interface OsProcess {
  readonly osPid: number;
  readonly startTicks: number;
}

/** What chaos needs to know of a home. */
export interface ChaosGround {
  /** Absolute. */
  readonly home: string;
  readonly manager: Manager;
  /** The OS processes of an instance that runs; empty when nothing does. */
  membersOf(service: string, instance: number): readonly OsProcess[];
  /** Who it is that lives; undefined when nobody does. */
  findOwn(part: Exclude<OwnPart, "shim">): OsProcess | undefined;
  /** The shim of an instance that runs. */
  findShim(service: string, instance: number): OsProcess | undefined;
}

/** Who can be struck, and how to find their OS processes. */
export interface Victim {
  readonly name: string;
  readonly kind: ChaosVictim["kind"];
  /** There for instances and shims. */
  readonly instance?: InstanceStatus;
  /** As they are now. */
  osProcesses(): readonly OsProcess[];
}

/** What the selectors say, apart from the words for how many. */
export interface Selection {
  readonly isAny: boolean;
  readonly isAll: boolean;
  readonly names: readonly string[];
  readonly parts: readonly (OwnPart | "home")[];
}

/** @throws ManagerError for a name that is none, or that means two things */
export function selectionOf(selectors: readonly string[], instances: readonly InstanceStatus[]): Selection {
  const known = new Set(instances.flatMap(({ name, service, instance }) => [name, service, `${service}.${instance}`]));
  const names: string[] = [];
  const parts: (OwnPart | "home")[] = [];
  for (const word of new Set(selectors)) {
    if (!chaosWords.includes(word)) {
      if (!isPatternOrTag(word) && !known.has(word)) throw unknown(word, known);
      names.push(word);
    } else if (known.has(word)) {
      throw new ManagerError(
        "invalid",
        `"${word}" is a service here, and a word of its own`,
        `Write ${word}.1 for the first instance of the service.`,
      );
    } else if (word !== "any" && word !== "all") parts.push(word as OwnPart | "home");
  }
  const isAny = selectors.includes("any");
  const isAll = selectors.includes("all") || (isAny && names.length === 0 && parts.length === 0);
  if (selectors.includes("all") && isAny) throw new ManagerError("invalid", "all and any are opposites; leave one out");
  return { isAny, isAll, names, parts };
}

/** Whom the selection means, of these instances. */
export function victimsOf(
  { isAll, names, parts }: Selection,
  instances: readonly InstanceStatus[],
  ground: ChaosGround,
): readonly Victim[] {
  const selected = instances.filter((status) => isAll || names.some((name) => isNamed(name, status)));
  const victims = selected.map((status) => instanceVictim(status, ground));
  for (const part of parts) {
    if (part === "shim") victims.push(...instances.flatMap((status) => shimVictim(status, ground)));
    else if (part === "home") victims.push({ name: "home", kind: part, osProcesses: () => [] });
    else victims.push(ownVictim(part, ground));
  }
  return victims;
}

/** As data. */
export function tellVictim(victim: Victim): ChaosVictim {
  const osPids = victim.osProcesses().map(({ osPid }) => osPid);
  return { name: victim.name, kind: victim.kind, osPids };
}

/** Whom it means the manager knows. */
export function isPatternOrTag(word: string): boolean {
  const kind = parseSelector(word)?.kind;
  return kind === "pattern" || kind === "tag";
}

function isNamed(word: string, { service, instance, tags }: InstanceStatus): boolean {
  const selector = parseSelector(word);
  return selector !== undefined && selects(selector, { service, number: instance, tags });
}

function instanceVictim(instance: InstanceStatus, ground: ChaosGround): Victim {
  const { name, service, instance: number } = instance;
  return {
    ...{ name, kind: "instance", instance },
    osProcesses: () => ground.membersOf(service, number).filter(mayBeStruck),
  };
}

function shimVictim(instance: InstanceStatus, ground: ChaosGround): readonly Victim[] {
  const { name, service, instance: number } = instance;
  if (ground.findShim(service, number) === undefined) return [];
  return [
    {
      ...{ name: `shim of ${name}`, kind: "shim", instance },
      osProcesses: () => listOf(ground.findShim(service, number)),
    },
  ];
}

function ownVictim(part: Exclude<OwnPart, "shim">, ground: ChaosGround): Victim {
  return { name: part, kind: part, osProcesses: () => listOf(ground.findOwn(part)) };
}

function listOf(osProcess: OsProcess | undefined): readonly OsProcess[] {
  return osProcess === undefined ? [] : [osProcess].filter(mayBeStruck);
}

/** Whatever a home says: chaos does not end itself, nor the first OS process of the machine. */
function mayBeStruck({ osPid }: OsProcess): boolean {
  return osPid > 1 && osPid !== process.pid && osPid !== process.ppid;
}

function unknown(word: string, known: ReadonlySet<string>): ManagerError {
  const clause = suggestionClause(word, [...known, ...chaosWords]);
  const others = `besides names there are ${chaosWords.join(", ")}`;
  return new ManagerError(
    "unknown",
    `there is no service or instance "${word}"${clause || `; ${others}`}`,
    "colos ps shows what there is.",
  );
}

/** Whether a word names what colos itself consists of. */
export function isOwnPart(word: string): word is OwnPart {
  return ownParts.some((part) => part === word);
}
