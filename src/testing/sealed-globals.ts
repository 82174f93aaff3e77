/**
 * Sealed globals: what would make a simulated run differ from the next one throws while a run is under way.
 *
 * @module
 */

/** What stands in the place of a sealed global. */
const insteadOf = {
  time: "the time comes from `world.platform.clock` or `self.kernel.platform.clock`",
  timer: "to wait, use `self.sleep` or a timeout of `receive`; for later, `self.sendAfter`",
  random: "chance comes from `world.choose` or `self.kernel.platform.random`",
  network: "the network is not there in a simulation",
} as const;

/** A host global was used in a simulated run. */
export class SealedGlobalError extends Error {
  constructor(name: string, instead: string) {
    super(`${name} would make a simulated run differ from the next one; ${instead}`);
    this.name = "SealedGlobalError";
  }
}

/* Of the host itself, whoever replaced them before. */
const realDate = globalThis.Date;

interface Seal {
  readonly holder: object;
  readonly name: string;
  readonly shown: string;
  readonly instead: string;
}

const seals: readonly Seal[] = [
  ...["setTimeout", "setInterval", "setImmediate"].map((name) => seal(globalThis, name, name, insteadOf.timer)),
  seal(globalThis.performance, "now", "performance.now", insteadOf.time),
  seal(Math, "random", "Math.random", insteadOf.random),
  seal(globalThis.crypto, "randomUUID", "crypto.randomUUID", insteadOf.random),
  seal(globalThis.crypto, "getRandomValues", "crypto.getRandomValues", insteadOf.random),
  seal(globalThis, "fetch", "fetch", insteadOf.network),
];

function seal(holder: object, name: string, shown: string, instead: string): Seal {
  return { holder, name, shown, instead };
}

/** The first use of a sealed global; whoever used it may have caught what it threw. */
let used: SealedGlobalError | null = null;

function refuse(shown: string, instead: string): never {
  const error = new SealedGlobalError(shown, instead);
  used ??= error;
  throw error;
}

/** What was there before, with the descriptor it had; null while nothing is sealed. */
let restores: readonly (() => void)[] | null = null;

function close(): void {
  if (restores !== null) return;
  restores = [...seals.map(replace), replaceDate()];
}

function open(): void {
  for (const restore of restores ?? []) restore();
  restores = null;
}

function replace({ holder, name, shown, instead }: Seal): () => void {
  const before = Object.getOwnPropertyDescriptor(holder, name);
  const value = (): never => refuse(shown, instead);
  Object.defineProperty(holder, name, {
    value,
    configurable: true,
    writable: true,
    enumerable: before?.enumerable ?? false,
  });
  return () => {
    if (before === undefined) delete (holder as Record<string, unknown>)[name];
    else Object.defineProperty(holder, name, before);
  };
}

/** A date of given parts is no look at the clock. */
class SealedDate extends realDate {
  constructor(...parts: readonly unknown[]) {
    if (parts.length === 0) refuse("new Date()", insteadOf.time);
    super(...(parts as [number]));
  }

  /** Dates from before the run are dates too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return this === SealedDate ? value instanceof realDate : Function.prototype[Symbol.hasInstance].call(this, value);
  }

  static override now(): never {
    return refuse("Date.now", insteadOf.time);
  }
}

function replaceDate(): () => void {
  const before = globalThis.Date;
  globalThis.Date = SealedDate as unknown as DateConstructor;
  return () => {
    globalThis.Date = before;
  };
}

/** Seals for a time, and opens for a time. */
export const sealed = {
  /** Runs `body` with sealed globals. @throws SealedGlobalError when one was used, whatever became of the error. */
  async close<T>(body: () => Promise<T>): Promise<T> {
    used = null;
    close();
    try {
      const value = await body();
      if (used !== null) throw used as SealedGlobalError;
      return value;
    } finally {
      open();
    }
  },

  /** Runs `body` with the host's own, in the middle of a sealed time or not. */
  async open<T>(body: () => Promise<T>): Promise<T> {
    const wasSealed = restores !== null;
    open();
    try {
      return await body();
    } finally {
      if (wasSealed) close();
    }
  },
};
