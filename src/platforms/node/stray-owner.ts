/**
 * Stray owner: whose code runs now, also in the asynchronous work that it started.
 *
 * Guarantees: what `runAs` was given holds through promises, timers, I/O and emitters, as a store of AsyncLocalStorage
 * does. From Node 24 on it is one: there it costs nothing per promise.
 * The fast path, for Node 20 and 22: AsyncLocalStorage stands on async_hooks there, whose own work per promise (ids, a
 * stack of contexts) triples the price of an `await`. So while nobody else in this OS process uses async_hooks, its hooks
 * for promises are replaced by two that only carry the owner. Node itself puts its own back when somebody else begins to
 * use async_hooks or AsyncLocalStorage, and then the general way (the hook below, for promises too) holds by itself.
 * Where Node's binding is out of reach (its permission model) the general way holds from the start.
 *
 * @module
 */
import { AsyncLocalStorage, createHook, executionAsyncResource } from "node:async_hooks";
import process from "node:process";

/** Who may be charged: any object, known to those who listen. */
type Owner = object | undefined;

/** How owners are followed; one of two, chosen once. */
interface Following {
  runAs<T>(owner: Owner, body: () => T): T;
  current(): Owner;
  /** Who made a promise. Only while it is announced as rejected. */
  ofRejected(promise: unknown): Owner;
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
  const hook = createHook({
    init(_id, _type, _trigger, resource: Carrying) {
      resource[ownerKey] = current;
    },
    before() {
      current = (executionAsyncResource() as Carrying)[ownerKey];
    },
    after() {
      current = undefined;
    },
  });
  let isOn = false;
  const switchOn = (): void => {
    isOn = true;
    const hooks = asyncHooks();
    const wereFree = hooks !== undefined && hooks.getPromiseHooks().every((each) => each === undefined);
    hook.enable();
    if (!wereFree) return;
    hooks.setPromiseHooks(
      (promise) => {
        if (current !== undefined) promise[ownerKey] = current;
      },
      (promise) => {
        current = promise[ownerKey];
      },
      undefined,
      undefined,
    );
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
    ofRejected: (promise) => (promise as Carrying)[ownerKey] ?? current,
  };
}

/** The part of Node's own binding that the fast path needs. */
interface AsyncHooks {
  getPromiseHooks(): readonly unknown[];
  setPromiseHooks(
    init: ((promise: Carrying) => void) | undefined,
    before: ((promise: Carrying) => void) | undefined,
    after: undefined,
    settled: undefined,
  ): void;
}

/**
 * Node has deprecated this way to its bindings and warns of it; the versions that it is used with will not lose it any
 * more, so the warning would only alarm users.
 */
function asyncHooks(): AsyncHooks | undefined {
  const host = process as unknown as { noDeprecation?: boolean; binding?(name: string): Partial<AsyncHooks> };
  const before = Object.getOwnPropertyDescriptor(host, "noDeprecation");
  try {
    host.noDeprecation = true;
    const hooks = host.binding?.("async_wrap");
    const isComplete = hooks?.getPromiseHooks !== undefined && hooks.setPromiseHooks !== undefined;
    return isComplete ? (hooks as AsyncHooks) : undefined;
  } catch {
    return undefined;
  } finally {
    if (before === undefined) delete host.noDeprecation;
    else Object.defineProperty(host, "noDeprecation", before);
  }
}
