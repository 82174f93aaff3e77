/**
 * Stray owner: whose code runs now, also in the asynchronous work that it started.
 *
 * Guarantees: what `runAs` was given holds through promises, timers, I/O and emitters, as a store of AsyncLocalStorage
 * does. From Node 24 on it is one: there it costs nothing per promise.
 * The fast path, for Node 20 and 22: AsyncLocalStorage stands on async_hooks there, whose own work per promise (ids, a
 * stack of contexts) triples the price of an `await`. So while nobody else in this OS process uses async_hooks, its hooks
 * for promises are replaced by three that only carry the owner. Node itself puts its own back when somebody else begins to
 * use async_hooks or AsyncLocalStorage, and then the general way (the hook below, for promises too) holds by itself.
 * Where Node's binding is out of reach (its permission model) the general way holds from the start.
 *
 * @module
 */
import { AsyncLocalStorage, createHook, executionAsyncResource } from "node:async_hooks";
import process from "node:process";
import type { WorkWatcher } from "../../base/platform.ts";

/** Who may be charged: any object, known to those who listen. */
type Owner = object | undefined;

/** How owners are followed; one of two, chosen once. */
interface Following {
  runAs<T>(owner: Owner, body: () => T): T;
  current(): Owner;
  /** Who made a promise. Only while it is announced as rejected. */
  ofRejected(promise: unknown): Owner;
  resolved?<T>(value: T): Promise<T>;
  /** Called when hooks of ours, for a time, are gone again. */
  settle?(): void;
}

/** From this version on AsyncLocalStorage needs no hooks. */
const contextFrameMajor = 24;
const nodeMajor = Number.parseInt(process.versions.node, 10);

/* One for the whole OS process (each worker thread has its own): every further one makes every promise dearer. */
const following: Following = nodeMajor >= contextFrameMajor ? byContextFrame() : byHooks();

/** Runs `body` such that it, and what it starts, belongs to `owner`; undefined: to nobody. */
export function runAs<T>(owner: Owner, body: () => T): T {
  return following.runAs(owner, body);
}

/** Whose code runs now: the owner given to `runAs`, also in asynchronous work that it started. */
export function currentOwner(): Owner {
  return following.current();
}

/** Whose promise was rejected, where Node announces that nobody handled it. */
export function ownerOfRejected(promise: unknown): Owner {
  return following.ofRejected(promise);
}

/** A promise of a value that is there. It needs no owner: who awaits it makes the promise that does. */
export const resolved: <T>(value: T) => Promise<T> = following.resolved ?? ((value) => Promise.resolve(value));

/** Tells of each piece of asynchronous work that begins and ends, until what it returns is called; see `Strays.watch`. */
export function watchWork(watcher: WorkWatcher): () => void {
  // The owners' hook comes first, so that the owner is known when this one is called.
  following.runAs(undefined, () => {});
  const hook = createHook({ before: () => watcher.begin(currentOwner()), after: () => watcher.end() }).enable();
  return () => {
    hook.disable();
    following.settle?.();
  };
}

function byContextFrame(): Following {
  const owners = new AsyncLocalStorage<Owner>();
  return {
    runAs: (owner, body) => owners.run(owner, body),
    current: () => owners.getStore(),
    ofRejected: () => owners.getStore(),
  };
}

/** What carries an owner: a promise, a timer, a handle of Node. */
interface Carrying {
  [ownerKey]?: Owner;
}

const ownerKey: unique symbol = Symbol("colos.owner") as never;

function byHooks(): Following {
  let current: Owner;
  /** Whose turn it was when a callback began inside another one: a pool or a parser runs those of its users so. */
  const outer: Owner[] = [];
  const hook = createHook({
    init(_id, _type, _trigger, resource: Carrying) {
      resource[ownerKey] = current;
    },
    before() {
      outer.push(current);
      current = (executionAsyncResource() as Carrying)[ownerKey];
    },
    after() {
      current = outer.pop();
    },
  });
  const carryOver = (promise: Carrying): void => {
    if (current !== undefined) promise[ownerKey] = current;
  };
  const takeUp = (promise: Carrying): void => {
    current = promise[ownerKey];
  };
  /** What Node makes when no code runs, such as the handle of a connection that came in, is not of who ran last. */
  const letGo = (): void => {
    current = undefined;
  };
  let hooks: AsyncHooks | undefined;
  let isOn = false;
  /** What Node puts in place for our hook alone. */
  let general: readonly unknown[] = [];
  const switchOn = (): void => {
    isOn = true;
    hooks = asyncHooks();
    const wereFree = hooks?.getPromiseHooks().every((each) => each === undefined) === true;
    hook.enable();
    if (!wereFree) hooks = undefined;
    general = hooks?.getPromiseHooks() ?? [];
    takeFastPath();
  };
  /** When nobody else follows promises. */
  const takeFastPath = (): void => {
    if (hooks === undefined || !isAlone(hooks)) return;
    if (hooks.getPromiseHooks().every((each, index) => each === general[index])) {
      hooks.setPromiseHooks(carryOver, takeUp, letGo, undefined);
    }
  };
  return {
    runAs(owner, body) {
      if (!isOn) switchOn();
      const outer = current;
      current = owner;
      try {
        return body();
      } finally {
        current = outer;
      }
    },
    current: () => current,
    ofRejected: (promise) => (promise as Carrying)[ownerKey],
    resolved(value) {
      const outer = current;
      current = undefined;
      const promise = Promise.resolve(value);
      current = outer;
      return promise;
    },
    // Not in the middle of a promise's work: Node's hook before it has begun what only Node's hook after it ends.
    settle: () => queueMicrotask(takeFastPath),
  };
}

/** The part of Node's own binding that the fast path needs. */
interface AsyncHooks {
  /** How many hooks in use have an `init`, `before`, `after`, `destroy`, `promiseResolve`; more figures follow. */
  readonly async_hook_fields: Uint32Array;
  getPromiseHooks(): readonly unknown[];
  setPromiseHooks(
    init: ((promise: Carrying) => void) | undefined,
    before: ((promise: Carrying) => void) | undefined,
    after: (() => void) | undefined,
    settled: undefined,
  ): void;
}

/** Whether the owners' hook is the only one in use. */
function isAlone({ async_hook_fields: counts }: AsyncHooks): boolean {
  return [1, 1, 1, 0, 0].every((count, index) => counts[index] === count);
}

/**
 * Node has deprecated this way to its bindings and warns of it; the versions that it is used with will not lose it any
 * more, so the warning would only alarm users.
 */
function asyncHooks(): AsyncHooks | undefined {
  const host = process as unknown as {
    noDeprecation?: boolean | undefined;
    binding?(name: string): Partial<AsyncHooks>;
  };
  // Read-only where the flag `--no-deprecation` has set it.
  const isSilent = host.noDeprecation;
  try {
    if (isSilent !== true) host.noDeprecation = true;
    const hooks = host.binding?.("async_wrap");
    const isComplete =
      hooks?.getPromiseHooks && hooks.setPromiseHooks && hooks.async_hook_fields instanceof Uint32Array;
    return isComplete ? (hooks as AsyncHooks) : undefined;
  } catch {
    return undefined;
  } finally {
    if (isSilent !== true) host.noDeprecation = isSilent;
  }
}
