/**
 * Injection: how each fault for a running system is made, of what the injectors can do to OS processes that run already.
 *
 * Guarantees: an OS process is struck only while it is the one that was meant (pid and start ticks), and undone only then.
 * Not here: what the faults are called (control/chaos.ts), when they strike (chaos.ts).
 *
 * @module
 */
import { readFileSync } from "node:fs";
import type { Milliseconds } from "../../base/platform.ts";
import { chaosFaults, faultsThatNeedStart, type ChaosAbility, type ChaosFaultName } from "../../control/chaos.ts";
import type { FaultName } from "../../faults/fault.ts";
import { guardLimitMsMax } from "../guard.ts";
import { injectorsFor, probeOnce } from "../injector-table.ts";
import { assertSame, openInjectors, type Injector, type Strike, type Target } from "../injector.ts";
import { controlGroup, osKill, osStop, resourceLimit, strace } from "../injectors/index.ts";
import { lowerLimit } from "../injectors/resource-limit.ts";
import { fillMount, fillNeeds } from "./full-mount.ts";
import { takeCpu, takeMemory } from "./pressure.ts";

/** What an injection is about besides its target. */
export interface InjectionSetting {
  readonly home: string;
  readonly forMs: Milliseconds;
}

/** How one fault is made. */
export interface Injection {
  readonly undoneBy: string;
  /** The rest of a sentence that begins with "needs", when it does not work here. Tries it once. Never rejects. */
  needs(home: string): Promise<string | undefined>;
  /** @throws Error when it could not strike; then nothing is left of it */
  strike(target: Target, setting: InjectionSetting): Promise<Strike>;
}

/** Those that strike what runs already, and leave no file changed when their guard is killed. The earlier is preferred. */
const attached: readonly Injector[] = [osKill, osStop, resourceLimit, strace, controlGroup];

const helperGuard = "a guard that ends the helper, which ends by itself too";

/** How every fault is made. */
export const injections: Readonly<Record<ChaosFaultName, Injection>> = {
  "kill-os-process": injected("carrier-loss"),
  "stop-os-process": injected("stop"),
  emfile: injected("emfile"),
  enomem: {
    undoneBy: resourceLimit.undoneBy,
    needs: () => needsOf([resourceLimit]),
    strike: async (target, { forMs }) => {
      assertSame(target);
      return lowerLimit(target.osPid, () => ({ name: "as", value: addressSpaceBytes(target.osPid) }), forMs);
    },
  },
  "short-write": injected("short-write"),
  "eagain-spawn": injected("eagain-spawn"),
  "enomem-spawn": injected("enomem-spawn"),
  "oom-kill": injected("oom-kill"),
  "net-down": injected("net-down"),
  "port-in-use": injected("port-in-use"),
  "eio-read": injected("eio-read"),
  "eio-write": injected("eio-write"),
  "eio-fsync-once": injected("eio-fsync-once"),
  "slow-disk": injected("slow-disk"),
  enospc: injected("enospc"),
  "cpu-pressure": { undoneBy: helperGuard, needs: onLinux, strike: (_target, { forMs }) => takeCpu(forMs) },
  "memory-pressure": { undoneBy: helperGuard, needs: onLinux, strike: (_target, { forMs }) => takeMemory(forMs) },
  "disk-full": {
    undoneBy: "a guard that removes the file",
    needs: async (home) => fillNeeds(home),
    strike: (_target, { home, forMs }) => fillMount(home, forMs),
  },
};

/** All faults: which work here, and what the others need. */
export async function abilities(home: string): Promise<readonly ChaosAbility[]> {
  const found: ChaosAbility[] = [];
  for (const [fault, { does }] of Object.entries(chaosFaults)) {
    const { undoneBy, needs: needsNow } = injections[fault as ChaosFaultName];
    const needs = await needsNow(home);
    found.push({ fault, does, undoneBy, works: needs === undefined, ...(needs === undefined ? {} : { needs }) });
  }
  for (const fault of faultsThatNeedStart) found.push(startAbility(fault as FaultName));
  return found;
}

/** What a fault needs that strikes only what was started for it. */
export const needsStart = "a victim that is started for it (torture and openInjectors of colos/testing do)";

function startAbility(fault: FaultName): ChaosAbility {
  const undoneBy = injectorsFor(fault)[0]?.undoneBy ?? "nothing";
  return { fault, does: "strikes only what was started for it", works: false, needs: needsStart, undoneBy };
}

function injected(fault: FaultName): Injection {
  const able = injectorsFor(fault, attached);
  return {
    undoneBy: able[0]?.undoneBy ?? "nothing",
    needs: () => needsOf(able),
    strike: async (target, { home, forMs }) => {
      const injector = await firstThatWorks(able);
      if (injector === undefined) throw new Error(`${fault} does not work here`);
      const arsenal = await openInjectors([injector], { folder: home, limitMs: guardLimitMsMax });
      return arsenal.strike(injector, fault, target, { forMs });
    },
  };
}

async function firstThatWorks(able: readonly Injector[]): Promise<Injector | undefined> {
  for (const injector of able) if ((await probeOnce(injector)).works) return injector;
  return undefined;
}

async function needsOf(able: readonly Injector[]): Promise<string | undefined> {
  if ((await firstThatWorks(able)) !== undefined) return undefined;
  const sentences = able.map(({ needs, debianPackage }) =>
    debianPackage === undefined ? needs : `${needs} (Debian package ${debianPackage})`,
  );
  return sentences.join(", or ") || "another user than root";
}

async function onLinux(): Promise<string | undefined> {
  return process.platform === "linux" ? undefined : "Linux";
}

/** What it has now: it can take no more. */
function addressSpaceBytes(osPid: number): number {
  const kibibytes = /^VmSize:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${osPid}/status`, "latin1"))?.[1];
  if (kibibytes === undefined) throw new Error(`OS process ${osPid} has ended`);
  return Number(kibibytes) * 1024;
}
