/**
 * Injector: makes a fault happen to an OS process of the real machine. The contract of `injectors/`.
 *
 * Guarantees: each says what it can do, what it needs, and who undoes it when the injector dies; `probe` finds out by
 * doing it once to a victim of its own, not by looking at version numbers. A strike ends after its time at the latest.
 * Some faults can only strike an OS process that was started for it: `openInjectors` gives what such a victim is started
 * with (`wrap`), and then what strikes it.
 * Not here: when faults strike (torture.ts), which faults there are (faults/fault.ts).
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { faults, type FaultName } from "../faults/fault.ts";
import { startTicks } from "../os/process-sample.ts";
import { GuardError } from "./guard.ts";
import { holdFolder, type HeldFolder } from "./held-folder.ts";
import { Namespaces, type NamespaceKind, type Start } from "./namespaces.ts";

export type { NamespaceKind, Start } from "./namespaces.ts";

/** Whom a fault strikes. */
export interface Target {
  readonly osPid: number;
  /** When it started, in clock ticks: a later OS process of this number is not struck. Default: whoever has the number. */
  readonly startTicks?: number;
  /** The file or folder that a fault of the layer `storage` is about. */
  readonly path?: string;
}

/** A fault that is in force. */
export interface Strike {
  /** Undoes it and waits for it; idempotent. What cannot be undone, as a kill, is over at once. */
  undo(): Promise<void>;
  /** Settles when it is no longer in force: undone, or its time over; with what went wrong. */
  readonly ended: Promise<string | undefined>;
}

export interface StrikeOptions {
  /** How long it stays in force, in milliseconds, for faults that last. */
  readonly forMs: Milliseconds;
}

/** What an injector is opened with. */
export interface Ground {
  /** The folder whose files storage faults strike. Absolute. */
  readonly folder: string;
  /** There when the injector said that it needs some. */
  readonly namespaces?: Namespaces;
  /** Everything is undone after so many milliseconds at the latest. */
  readonly limitMs: Milliseconds;
}

/** An injector that is ready to strike. */
export interface OpenInjector {
  /** How a victim must be started to be struck. */
  wrap(start: Start): Start;
  /** @throws Error when it could not strike; then nothing is left of it. */
  strike(fault: FaultName, target: Target, options: StrikeOptions): Promise<Strike>;
  /** Undoes what is left. */
  close(): Promise<void>;
}

/** What `probe` found. */
export type Probe = { readonly works: true } | { readonly works: false; readonly reason: string };

export interface Injector {
  readonly name: string;
  readonly faults: readonly FaultName[];
  /** What the machine must have, as the rest of a sentence that begins with "needs". */
  readonly needs: string;
  /** The Debian package that brings its program. */
  readonly debianPackage?: string;
  /** Strikes any OS process; otherwise only one that was started with `wrap`. */
  readonly attaches: boolean;
  readonly namespaces?: readonly NamespaceKind[];
  /** What ends the fault when the injector is gone. */
  readonly undoneBy: string;
  /** Strikes a victim of its own, once. Never throws. */
  probe(): Promise<Probe>;
  open(ground: Ground): Promise<OpenInjector>;
}

/** Several injectors and what they share, ready to strike. */
export interface Arsenal {
  wrap(start: Start): Start;
  strike(injector: Injector, fault: FaultName, target: Target, options: StrikeOptions): Promise<Strike>;
  /** Undoes what is left; the folders and namespaces are gone then. */
  close(): Promise<void>;
}

/** Opens injectors for the victims that will be started with `wrap`. */
export async function openInjectors(
  injectors: readonly Injector[],
  setting: { readonly folder: string; readonly limitMs: Milliseconds },
): Promise<Arsenal> {
  const kinds = [...new Set(injectors.flatMap(({ namespaces = [] }) => namespaces))];
  const namespaces = kinds.length === 0 ? undefined : await Namespaces.open(kinds, setting.limitMs);
  const ground: Ground = { ...setting, ...(namespaces === undefined ? {} : { namespaces }) };
  const open = new Map<Injector, OpenInjector>();
  const close = async (): Promise<void> => {
    const closing = [...open.values()].toReversed().map((each) => each.close());
    await Promise.allSettled(closing);
    await namespaces?.close();
  };
  try {
    for (const injector of injectors) open.set(injector, await injector.open(ground));
  } catch (thrown) {
    await close();
    throw thrown;
  }
  return {
    wrap(start) {
      let wrapped = start;
      for (const each of open.values()) wrapped = each.wrap(wrapped);
      return namespaces?.wrap(wrapped) ?? wrapped;
    },
    async strike(injector, fault, target, options) {
      const opened = open.get(injector);
      if (opened === undefined) throw new Error(`${injector.name} is not open`);
      if (!injector.faults.includes(fault)) throw new Error(`${injector.name} cannot make ${fault}`);
      // Injectors ask again who has the number, in the same turn of the event loop.
      assertSame(target);
      return opened.strike(fault, target, options);
    },
    close,
  };
}

/** An injector that strikes whatever runs, and has nothing to close. */
export function attaching(
  facts: Omit<Injector, "attaches" | "open" | "probe"> & { readonly probe: () => Promise<Probe> },
  strike: (fault: FaultName, target: Target, options: StrikeOptions, ground: Ground) => Promise<Strike>,
): Injector {
  return {
    ...facts,
    attaches: true,
    open: async (ground) => ({
      wrap: (start) => start,
      strike: (fault, target, options) => strike(fault, target, options, ground),
      close: async () => {},
    }),
  };
}

/** Runs a probe in a folder of its own; what it throws is why it does not work. */
export async function probing(probe: (folder: string) => Promise<string | undefined>): Promise<Probe> {
  let folder: HeldFolder | undefined;
  try {
    folder = await holdFolder("colos-probe-");
    const reason = await probe(folder.path);
    return reason === undefined ? { works: true } : { works: false, reason };
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return { works: false, reason };
  } finally {
    await folder?.release().catch(() => {});
  }
}

/** A strike that cannot be undone. */
export const over: Strike = { undo: async () => {}, ended: Promise.resolve(undefined) };

/** Shell function: true while the OS process `$1` is the one that started at `$2` (clock ticks), not one with its number. */
export const isSame = `is_same() { s=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; set -- "$2" \${s##*) }; [ "$1" = "\${21}" ]; }`;

/** When `osPid` started. @throws GuardError when it is not there. */
export function identityOf(osPid: number): string {
  const ticks = startTicks(osPid);
  if (ticks === undefined) throw new GuardError(`there is no OS process ${osPid}`);
  return String(ticks);
}

/** @throws GuardError when another OS process has the target's number, or none */
export function assertSame({ osPid, startTicks: wanted }: Target): void {
  if (wanted !== undefined && startTicks(osPid) !== wanted) throw new GuardError(`OS process ${osPid} has ended`);
}

/** Whether a word is the name of a fault. */
export function isFaultName(word: string): word is FaultName {
  return Object.hasOwn(faults, word);
}
