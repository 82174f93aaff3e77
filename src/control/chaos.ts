/**
 * Chaos: what a face can ask of failure testing on a running system, and what it is told. Definitions only; who carries it out is
 * the composition's (chaos-system.ts).
 *
 * Guarantees: every value is JSON, but for functions. Times with `At` are epoch milliseconds, those that end in `Ms` are
 * milliseconds.
 *
 * @module
 */
import type { AbortCondition } from "./abort-condition.ts";
import type { ManagerErrorCode } from "./manager.ts";
import type { InstanceState } from "./service.ts";

/** Whom a fault strikes: OS processes of a victim, the machine beside all victims, or the file system that a home lies on. */
export type ChaosScope = "os-process" | "machine" | "home";

/** What is known of a fault. */
export interface ChaosFaultFacts {
  readonly scope: ChaosScope;
  /** It is in force for a time, and then undone; otherwise it is over at once. */
  readonly lasts: boolean;
  /** It is about files, which `path` names. */
  readonly needsPath?: true;
  /** What happens, in one sentence without a full stop. */
  readonly does: string;
}

/** The name of a fault for a running system. */
export type ChaosFaultName =
  | "kill-os-process"
  | "stop-os-process"
  | "emfile"
  | "enomem"
  | "short-write"
  | "eagain-spawn"
  | "enomem-spawn"
  | "oom-kill"
  | "net-down"
  | "port-in-use"
  | "eio-read"
  | "eio-write"
  | "eio-fsync-once"
  | "slow-disk"
  | "enospc"
  | "cpu-pressure"
  | "memory-pressure"
  | "disk-full";

/** All faults for a running system. The order is that of the documentation. */
export const chaosFaults: Readonly<Record<ChaosFaultName, ChaosFaultFacts>> = {
  "kill-os-process": {
    scope: "os-process",
    lasts: false,
    does: "all OS processes of the victim are ended with SIGKILL",
  },
  "stop-os-process": {
    scope: "os-process",
    lasts: true,
    does: "all OS processes of the victim stand still (SIGSTOP), and then go on (SIGCONT)",
  },
  emfile: { scope: "os-process", lasts: true, does: "the victim can open no file, socket or pipe" },
  enomem: { scope: "os-process", lasts: true, does: "the victim gets no more memory (its address space cannot grow)" },
  "short-write": { scope: "os-process", lasts: true, does: "the victim's files cannot grow beyond 4096 bytes (EFBIG)" },
  "eagain-spawn": { scope: "os-process", lasts: true, does: "the victim can start no OS process: too many are there" },
  "enomem-spawn": { scope: "os-process", lasts: true, does: "the victim can start no OS process: memory is short" },
  "oom-kill": {
    scope: "os-process",
    lasts: true,
    does: "the OS kernel ends the victim when it takes 512 kB more memory",
  },
  "net-down": { scope: "os-process", lasts: true, does: "the victim can connect to nobody (ENETUNREACH)" },
  "port-in-use": { scope: "os-process", lasts: true, does: "the victim can listen nowhere (EADDRINUSE)" },
  "eio-read": { scope: "os-process", lasts: true, needsPath: true, does: "the victim's reads of the files fail (EIO)" },
  "eio-write": {
    scope: "os-process",
    lasts: true,
    needsPath: true,
    does: "the victim's writes to the files fail (EIO)",
  },
  "eio-fsync-once": { scope: "os-process", lasts: true, needsPath: true, does: "one sync of the files fails (EIO)" },
  "slow-disk": {
    scope: "os-process",
    lasts: true,
    needsPath: true,
    does: "each write to the files and each sync takes 500 ms longer",
  },
  enospc: {
    scope: "os-process",
    lasts: true,
    needsPath: true,
    does: "the victim's writes to the files find the disk full",
  },
  "cpu-pressure": { scope: "machine", lasts: true, does: "as many endless loops as there are cores take CPU time" },
  "memory-pressure": {
    scope: "machine",
    lasts: true,
    does: "a helper takes a quarter of the memory that is free, at most 1 GiB",
  },
  "disk-full": { scope: "home", lasts: true, does: "the file system of the home is filled up" },
};

/** Faults of the catalogue that strike only what was started for it. */
export const faultsThatNeedStart: readonly string[] = ["erofs", "dns-failure", "clock-step"];

/** What colos itself consists of; only who asks for it by this word strikes it. */
export const ownParts = ["daemon", "recorder", "heart", "shim"] as const;
export type OwnPart = (typeof ownParts)[number];
/** Words that are no names of services: what colos consists of, the home, and how many. */
export const chaosWords: readonly string[] = [...ownParts, "home", "all", "any"];

/** The limits of a request. */
export const chaosLimits = {
  forMsDefault: 60_000,
  forMsMax: 3_600_000,
  holdMsDefault: 5000,
  settleMsDefault: 60_000,
  settleMsMax: 3_600_000,
  perMinuteDefault: 6,
  perMinuteMax: 600,
  seedMax: 2_147_483_647,
} as const;

export interface ChaosRequest {
  /** Names of services and instances, patterns and tags (selector.ts), and `chaosWords`. At least one. */
  readonly selectors: readonly string[];
  /** Each strike draws one of these. At least one. */
  readonly faults: readonly ChaosFaultName[];
  /** Strikes. */
  readonly perMinute: number;
  /** After so long nothing strikes any more, and all is undone. */
  readonly forMs: number;
  /** How long a fault that lasts stays in force. */
  readonly holdMs: number;
  /** How long the system has at the end to come back. */
  readonly settleMs: number;
  /** It ends when one of these holds. */
  readonly abortWhen: readonly AbortCondition[];
  /** Default: another each time. The same gives the same faults at the same times on the same of equally many victims. */
  readonly seed?: number;
  /** The file or folder (absolute) that faults of files are about. */
  readonly path?: string;
}

/** Who can be struck. */
export interface ChaosVictim {
  /** `web.2`, `daemon`, `shim of web.2`, `home`. */
  readonly name: string;
  readonly kind: "instance" | OwnPart | "home";
  readonly osPids: readonly number[];
}

/** A fault that cannot be injected. */
export interface ChaosSkipped {
  readonly fault: string;
  /** The rest of a sentence that begins with "needs". */
  readonly needs: string;
}

/** What will be done; nothing has been yet. */
export interface ChaosPlan {
  readonly home: string;
  readonly seed: number;
  readonly victims: readonly ChaosVictim[];
  /** Each strike hits one of the victims, drawn; otherwise all of them. */
  readonly isAny: boolean;
  readonly faults: readonly ChaosFaultName[];
  readonly skipped: readonly ChaosSkipped[];
  readonly strikes: readonly { readonly atMs: number; readonly fault: ChaosFaultName }[];
  readonly forMs: number;
  readonly holdMs: number;
  readonly settleMs: number;
  /** As text. */
  readonly abortWhen: string;
}

/** Something that an instance became while a strike was in force, or before it had recovered. */
export interface ChaosStateChange {
  readonly name: string;
  /** Milliseconds since the strike. */
  readonly afterMs: number;
  readonly state: InstanceState | "gone" | "back";
  readonly reason?: string;
}

/** One strike at one victim. */
export interface ChaosStrike {
  readonly at: number;
  readonly fault: ChaosFaultName;
  readonly victim: string;
  readonly osPids: readonly number[];
  /** Why it did not happen; absent when it did. */
  readonly missed?: string;
  readonly states: readonly ChaosStateChange[];
  /** From the strike until the victim was as before; absent when it never was anything else, or did not come back. */
  readonly recoveredAfterMs?: number;
  /** It is as before. */
  readonly isRecovered: boolean;
  /** True when nothing of the fault is left. */
  readonly isUndone: boolean;
  /** What went wrong when it was undone. */
  readonly problem?: string;
}

/** How one fault was survived. */
export interface ChaosSummary {
  readonly fault: ChaosFaultName;
  readonly strikesCount: number;
  readonly missedCount: number;
  /** Strikes after which the victim had to come back, and did. */
  readonly recoveriesCount: number;
  readonly medianMs?: number;
  readonly worstMs?: number;
}

export interface ChaosReport {
  readonly home: string;
  readonly seed: number;
  readonly startedAt: number;
  readonly elapsedMs: number;
  /** Why it ended: its time was over, an abort condition held, a person wanted so. */
  readonly end: "time" | "aborted" | "interrupted";
  /** The sentence that says what held; there when `end` is `aborted`. */
  readonly abort?: string;
  readonly strikes: readonly ChaosStrike[];
  readonly summary: readonly ChaosSummary[];
  readonly skipped: readonly ChaosSkipped[];
  readonly isUndone: boolean;
  /** The system is as it was before: what was ready is ready, and colos is there. */
  readonly isWhole: boolean;
  /** What is not undone or not whole, a sentence each. */
  readonly problems: readonly string[];
}

/** What is told while it goes on. */
export type ChaosEvent =
  | { readonly type: "strike"; readonly strike: ChaosStrike }
  | { readonly type: "undone"; readonly strike: ChaosStrike }
  | { readonly type: "recovered"; readonly strike: ChaosStrike }
  | { readonly type: "state"; readonly at: number; readonly change: ChaosStateChange }
  /** Nothing strikes any more. */
  | { readonly type: "settling"; readonly at: number; readonly end: ChaosReport["end"]; readonly abort?: string };

/** Chaos that goes on. */
export interface ChaosRun {
  /** Settles when all is undone and the system is whole, or has had its time. Never rejects. */
  readonly ended: Promise<ChaosReport>;
  /** Undoes all at once, then waits for the system; the second call ends the waiting. */
  interrupt(): void;
}

/** A plan that can be carried out. */
export interface PreparedChaos {
  readonly plan: ChaosPlan;
  run(listener: (event: ChaosEvent) => void): ChaosRun;
}

/** Why it cannot or may not be done; a value, as whoever is told may be of another build of the classes of errors. */
export interface ChaosRefusal {
  readonly refused: { readonly code: ManagerErrorCode; readonly message: string; readonly advice?: string };
}

/** Whether a fault works on this machine. */
export interface ChaosAbility {
  readonly fault: string;
  readonly does: string;
  readonly works: boolean;
  /** The rest of a sentence that begins with "needs"; there when it does not work. */
  readonly needs?: string;
  readonly undoneBy: string;
}

/** Failure testing of one home. */
export interface Chaos {
  /** Tries each fault once, on a victim of its own. */
  abilities(): Promise<readonly ChaosAbility[]>;
  /** Looks, and strikes nobody. Never rejects. */
  prepare(request: ChaosRequest): Promise<PreparedChaos | ChaosRefusal>;
}
