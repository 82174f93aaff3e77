/**
 * Registry: processes found by keys, Elixir's Registry.
 *
 *   const rooms = new Registry<string, number>(self, "rooms");
 *   await rooms.register("kitchen", 21);
 *   await startServer(self, () => new Room(), { via: via("rooms", "cellar") });
 *   await rooms.call("cellar", "open");
 *
 * A registry is a process of one kernel; processes of this kernel and of others ask it by pid or name, register
 * themselves, and find each other, whatever carrier they run on. With unique keys a key has one holder, with duplicate
 * keys any number. Each registration has a value.
 * Guarantees: registering is atomic; what a process registered is gone before anybody in the registry's kernel learns of
 * its end, so nobody there is given a process that has ended; a process started `via` a key has it before it runs.
 * Limits: `entriesMax` registrations, keys as in key.ts, `registryWaitersMax` who wait for one key; keys and values cross carriers as
 * copies.
 * Unlike Elixir: reading asks the registry's process too; registered processes are not linked to it, so when it ends they
 * live on and what was registered is lost.
 * Not here: names of the kernel (kernel/names.ts), groups with messages to all members (groups.ts).
 *
 * @module
 */
import { assertWhole, inWords } from "../base/limit.ts";
import type { Milliseconds } from "../base/platform.ts";
import { EndWatch } from "../kernel/end-watch.ts";
import { describeReason, Exit, type CallFailed } from "../kernel/exit-reason.ts";
import { isDown } from "../kernel/message.ts";
import { Pid, type AnyPid, type Ref } from "../kernel/pid.ts";
import { shown } from "../kernel/reason-sentences.ts";
import { callTimeoutMsDefault, StartError, type AnyProcess, type StartOptions } from "../kernel/process.ts";
import type { DefinedProgram } from "../kernel/program.ts";
import type { Claim, Via } from "../kernel/via.ts";
import { comparableKey } from "./key.ts";
import { cast, defineServer, noReply, type Outcome, type Server } from "./server.ts";

/** Registrations that a registry holds unless told otherwise. */
export const registryEntriesMaxDefault = 1_000_000;
/** Requests that may wait for one key while a process is being started under it. */
export const registryWaitersMax = 10_000;

/** How a registry is set up. */
export interface RegistryOptions {
  /** Whether a key has one holder or any number. */
  readonly keys: "unique" | "duplicate";
  /** Registrations at most; default `registryEntriesMaxDefault`. One more is answered with `registryFull`. */
  readonly entriesMax?: number;
  /** Pids or names that get a `RegistryMessage` for each registration that comes or goes. */
  readonly listeners?: readonly (AnyPid | string)[];
}

/** What listeners get. */
export interface RegistryMessage {
  readonly type: "registered" | "unregistered";
  readonly registry: AnyPid;
  readonly key: unknown;
  readonly pid: AnyPid;
  /** Only with `registered`. */
  readonly value?: unknown;
}

/** One registration under a key. */
export interface RegistryEntry<Value> {
  readonly pid: AnyPid;
  readonly value: Value;
}

/** Why nothing was registered: the key has a holder, or a limit is reached. */
export type RegisterProblem =
  | { readonly tag: "alreadyRegistered"; readonly pid: AnyPid }
  | { readonly tag: "registryFull"; readonly entriesMax: number }
  | { readonly tag: "tooManyWait"; readonly waitersMax: number };

/** How a registration went: with the registry's pid, OTP's `{ok, Owner}`. */
export type RegisterResult =
  | { readonly ok: true; readonly value: AnyPid }
  | { readonly ok: false; readonly error: RegisterProblem };

/**
 * A registry as a program, for `child`: `child("rooms", defineRegistry({ keys: "unique" }), { name: "rooms" })`.
 * @throws TypeError, RangeError when the options make no sense.
 */
export function defineRegistry(options: RegistryOptions): DefinedProgram<unknown, readonly never[]> {
  const { keys, entriesMax = registryEntriesMaxDefault, listeners = [] } = options ?? {};
  if (keys !== "unique" && keys !== "duplicate") {
    throw new TypeError(`a registry's keys are "unique" or "duplicate", not ${inWords(keys)}`);
  }
  assertWhole("entriesMax", entriesMax, 1);
  if (!Array.isArray(listeners)) {
    throw new TypeError(`a registry's listeners are a list of pids and names, not ${inWords(listeners)}`);
  }
  return defineServer((self: AnyProcess) => new RegistryServer(self, options));
}

/** Starts a registry (Elixir Registry.start_link/1). @throws as `defineRegistry` and `startServer`. */
export function startRegistry(
  self: AnyProcess,
  options: RegistryOptions & StartOptions<readonly never[]>,
): Promise<Pid<unknown>> {
  return self.start(defineRegistry(options), options);
}

/** A registry as one process sees it. Each method fails as `call` does when the registry is not there. */
export class Registry<Key = unknown, Value = void> {
  readonly #self: AnyProcess;
  /** The registry's pid or name. */
  readonly server: AnyPid | string;
  readonly #timeoutMs: Milliseconds;

  /** For the process `self`; `server` is the registry's pid or name. */
  constructor(self: AnyProcess, server: AnyPid | string, options: { readonly timeoutMs?: Milliseconds } = {}) {
    this.#self = self;
    this.server = server;
    this.#timeoutMs = options.timeoutMs ?? callTimeoutMsDefault;
  }

  /**
   * Registers this process under `key` (Elixir Registry.register/3). With unique keys it fails with `alreadyRegistered` when
   * a process has the key, this one included.
   * @throws TypeError when `key` is none (key.ts).
   */
  async register(key: Key, value: Value): Promise<RegisterResult> {
    return (await this.#ask({ registry: "register", key, value })) as RegisterResult;
  }

  /** Takes back what this process registered under `key`, all of it with duplicate keys (Registry.unregister/2). */
  async unregister(key: Key): Promise<void> {
    await this.#ask({ registry: "unregister", key });
  }

  /** As `unregister`, only registrations whose value matches (Registry.unregister_match/3). @see match */
  async unregisterMatch(key: Key, pattern: unknown): Promise<void> {
    await this.#ask({ registry: "unregisterMatch", key, pattern });
  }

  /** Who is registered under `key`, oldest first (Registry.lookup/2). */
  async lookup(key: Key): Promise<readonly RegistryEntry<Value>[]> {
    return (await this.#ask({ registry: "lookup", key })) as readonly RegistryEntry<Value>[];
  }

  /** The process that has `key`: with duplicate keys, the oldest. */
  async whereis(key: Key): Promise<AnyPid | undefined> {
    return (await this.lookup(key))[0]?.pid;
  }

  /** The keys of a process, oldest first, one per registration (Registry.keys/2). */
  async keys(pid: AnyPid = this.#self.pid): Promise<readonly Key[]> {
    return (await this.#ask({ registry: "keys", pid })) as readonly Key[];
  }

  /** The values of a process under `key` (Registry.values/3). */
  async values(key: Key, pid: AnyPid = this.#self.pid): Promise<readonly Value[]> {
    return (await this.lookup(key)).flatMap((entry) => (entry.pid === pid ? [entry.value] : []));
  }

  /**
   * Those under `key` whose value matches (Registry.match/3): a pattern is equal to the value, or an object or array whose
   * items match the value's items of the same name or place, whatever else the value has.
   */
  async match(key: Key, pattern: unknown): Promise<readonly RegistryEntry<Value>[]> {
    return (await this.#ask({ registry: "match", key, pattern })) as readonly RegistryEntry<Value>[];
  }

  /**
   * Calls `work` here with those under `key`, unless there are none (Registry.dispatch/3). Gives what it gave.
   */
  async dispatch<Result>(
    key: Key,
    work: (entries: readonly RegistryEntry<Value>[]) => Result,
  ): Promise<Result | undefined> {
    const entries = await this.lookup(key);
    return entries.length === 0 ? undefined : work(entries);
  }

  /**
   * Changes the value of this process under a unique `key` (Registry.update_value/3): `update` gets the old one.
   * @returns both, or undefined when this process has not registered `key`.
   */
  async updateValue(
    key: Key,
    update: (old: Value) => Value,
  ): Promise<{ readonly value: Value; readonly old: Value } | undefined> {
    for (;;) {
      const held = (await this.#ask({ registry: "read", key })) as { value: Value; version: number } | undefined;
      if (held === undefined) return undefined;
      const value = update(held.value);
      const { version } = held;
      // Another update of this process may have come in between.
      if ((await this.#ask({ registry: "write", key, value, version })) === true) return { value, old: held.value };
    }
  }

  /** All registrations (Registry.count/1). */
  async count(): Promise<number> {
    return (await this.#ask({ registry: "count" })) as number;
  }

  /** Asks the server that has `key`. @throws Exit as `call`: `noproc` when nobody has it. */
  async call(key: Key, request: unknown, timeoutMs: Milliseconds = callTimeoutMsDefault): Promise<unknown> {
    const pid = await this.whereis(key);
    if (pid !== undefined) return this.#self.request(pid, request, timeoutMs);
    throw new Exit({ tag: "call", reason: "noproc", to: `${this.server}/${describeKey(key)}` } satisfies CallFailed);
  }

  /** Tells the server that has `key` something. Never fails for want of one. */
  async cast(key: Key, message: unknown): Promise<void> {
    const pid = await this.whereis(key);
    if (pid !== undefined) cast(this.#self, pid, message);
  }

  /** Sends to the process that has `key`; false when nobody has it. */
  async send(key: Key, message: unknown): Promise<boolean> {
    const pid = await this.whereis(key);
    if (pid !== undefined) this.#self.send(pid as Pid<unknown>, message);
    return pid !== undefined;
  }

  #ask(request: Request): Promise<unknown> {
    return ask(this.#self, this.server, request, this.#timeoutMs);
  }
}

/**
 * For `start…` and `child`: registers what is started under `key` before it runs (Elixir's `{:via, Registry, …}`). When the
 * key is taken, the start fails with `{ tag: "alreadyStarted", pid }`.
 */
export function via(registry: AnyPid | string, key: unknown, value?: unknown): Via {
  const text = `${registry}/${describeKey(key)}`;
  return {
    async claim(self): Promise<Claim> {
      let result: Claimed;
      try {
        result = (await ask(self, registry, { registry: "claim", key, value }, callTimeoutMsDefault)) as Claimed;
      } catch (thrown) {
        const reason = thrown instanceof Exit ? thrown.reason : thrown;
        throw new StartError(reason, `${text} was not given out: ${describeReason(reason)}`);
      }
      if (!result.ok) {
        const { error } = result;
        const reason = error.tag === "alreadyRegistered" ? { tag: "alreadyStarted", pid: error.pid } : error;
        throw new StartError(reason, `${text} is not free: ${describeReason(error)}`);
      }
      const { id } = result;
      return {
        assign: (pid) => cast(self, result.server, { registry: "assign", id, pid }),
        release: () => cast(self, result.server, { registry: "release", id }),
      };
    },
  };
}

type Claimed =
  | { readonly ok: true; readonly id: number; readonly server: AnyPid }
  | { readonly ok: false; readonly error: RegisterProblem };

type Request =
  | { readonly registry: "register" | "claim"; readonly key: unknown; readonly value: unknown }
  | { readonly registry: "unregister" | "lookup" | "read"; readonly key: unknown }
  | { readonly registry: "unregisterMatch" | "match"; readonly key: unknown; readonly pattern: unknown }
  | { readonly registry: "write"; readonly key: unknown; readonly value: unknown; readonly version: number }
  | { readonly registry: "keys"; readonly pid: AnyPid }
  | { readonly registry: "count" };

type Notice =
  | { readonly registry: "assign"; readonly id: number; readonly pid: AnyPid }
  | { readonly registry: "release"; readonly id: number };

/** The registry could not do what was asked: no such request, or an answer that the caller's carrier cannot copy. */
interface Refused {
  readonly tag: "refused";
  readonly description: string;
}

async function ask(
  self: AnyProcess,
  server: AnyPid | string,
  request: Request,
  timeoutMs: Milliseconds,
): Promise<unknown> {
  if ("key" in request) comparableKey(request.key);
  const reply = await self.request(server, request, timeoutMs);
  if (isRefused(reply)) throw new TypeError(reply.description);
  return reply;
}

function isRefused(reply: unknown): reply is Refused {
  return typeof reply === "object" && reply !== null && (reply as { tag?: unknown }).tag === "refused";
}

/** One registration. */
interface Entry {
  readonly key: unknown;
  /** Equal for equal keys. */
  readonly place: unknown;
  readonly pid: AnyPid;
  value: unknown;
  /** Counts its changes. */
  version: number;
}

/** A key that a process is being started under. */
interface Reservation {
  readonly id: number;
  readonly key: unknown;
  readonly place: unknown;
  readonly value: unknown;
  readonly owner: AnyPid;
  /** Requests for the key meanwhile, in order. */
  readonly waiting: (() => void)[];
}

class RegistryServer implements Server<Request, Notice, unknown> {
  readonly #self: AnyProcess;
  readonly #isUnique: boolean;
  readonly #entriesMax: number;
  readonly #listeners: readonly (AnyPid | string)[];
  readonly #watch: EndWatch;
  readonly #byKey = new Map<unknown, Set<Entry>>();
  readonly #byPid = new Map<AnyPid, Set<Entry>>();
  readonly #reservations = new Map<number, Reservation>();
  /** With unique keys. */
  readonly #reserved = new Map<unknown, Reservation>();
  #entriesCount = 0;
  #nextReservation = 1;

  constructor(self: AnyProcess, options: RegistryOptions) {
    this.#self = self;
    this.#isUnique = options.keys === "unique";
    this.#entriesMax = options.entriesMax ?? registryEntriesMaxDefault;
    this.#listeners = options.listeners ?? [];
    this.#watch = new EndWatch(self, (pid) => this.#ended(pid));
  }

  handleCall(request: Request, from: Ref): Outcome {
    try {
      const answer = this.#answer(request, from);
      if (answer !== noReply) this.#self.reply(from, answer);
    } catch (thrown) {
      const description = thrown instanceof Error ? thrown.message : describeReason(thrown);
      this.#self.reply(from, { tag: "refused", description } satisfies Refused);
    }
    return noReply;
  }

  #answer(request: Request, from: Ref): unknown {
    const { owner } = from;
    switch (request?.registry) {
      case "register":
        return this.#whenFree(request.key, from, (place) => this.#register(request.key, place, request.value, owner));
      case "claim":
        return this.#whenFree(request.key, from, (place) => this.#claim(request.key, place, request.value, owner));
      case "unregister":
        return this.#unregister(request.key, owner, () => true);
      case "unregisterMatch":
        return this.#unregister(request.key, owner, ({ value }) => matches(value, request.pattern));
      case "lookup":
        return this.#entries(request.key).map(({ pid, value }) => ({ pid, value }));
      case "match":
        return this.#entries(request.key)
          .filter(({ value }) => matches(value, request.pattern))
          .map(({ pid, value }) => ({ pid, value }));
      case "keys":
        return Array.from(this.#byPid.get(request.pid) ?? [], ({ key }) => key);
      case "read":
        return this.#read(request.key, owner);
      case "write":
        return this.#write(request.key, owner, request.value, request.version);
      case "count":
        return this.#entriesCount;
      default:
        throw new TypeError("a registry does not know this request");
    }
  }

  handleCast(notice: Notice): void {
    if (notice?.registry !== "assign" && notice?.registry !== "release") return;
    const reservation = this.#reservations.get(notice.id);
    if (reservation === undefined) return;
    this.#reservations.delete(notice.id);
    if (this.#reserved.get(reservation.place) === reservation) this.#reserved.delete(reservation.place);
    const { key, place, value, owner, waiting } = reservation;
    if (notice.registry === "assign" && notice.pid instanceof Pid) this.#add(key, place, value, notice.pid);
    this.#forget(owner);
    for (const retry of waiting) retry();
  }

  handleInfo(message: unknown): void {
    // The watch has told of this end already.
    if (!isDown(message)) this.#self.kernel.platform.log("warning", `registry ${this.#self.pid} dropped a message`);
  }

  /** The state as `sys.getState` shows it. */
  systemGetState(): unknown {
    return { entries: this.#entriesCount, keys: this.#byKey.size, processes: this.#byPid.size };
  }

  // --- registering ---

  /** Carries out `work`, now or, while a process is being started under the key, when that is decided. */
  #whenFree(key: unknown, from: Ref, work: (place: unknown) => unknown): unknown {
    const place = comparableKey(key);
    const reservation = this.#reserved.get(place);
    if (reservation === undefined) return work(place);
    if (reservation.waiting.length >= registryWaitersMax)
      return failed({ tag: "tooManyWait", waitersMax: registryWaitersMax });
    reservation.waiting.push(() => {
      const answer = this.#whenFree(key, from, work);
      if (answer !== noReply) this.#self.reply(from, answer);
    });
    return noReply;
  }

  /** Why the key cannot be given out. */
  #problem(place: unknown): RegisterProblem | undefined {
    const [holder] = this.#isUnique ? (this.#byKey.get(place) ?? []) : [];
    if (holder !== undefined) return { tag: "alreadyRegistered", pid: holder.pid };
    if (this.#entriesCount + this.#reservations.size < this.#entriesMax) return undefined;
    return { tag: "registryFull", entriesMax: this.#entriesMax };
  }

  #register(key: unknown, place: unknown, value: unknown, pid: AnyPid): RegisterResult {
    const problem = this.#problem(place);
    if (problem !== undefined) return failed(problem);
    this.#add(key, place, value, pid);
    return { ok: true, value: this.#self.pid };
  }

  #claim(key: unknown, place: unknown, value: unknown, owner: AnyPid): Claimed {
    const problem = this.#problem(place);
    if (problem !== undefined) return failed(problem);
    const id = this.#nextReservation;
    this.#nextReservation += 1;
    const reservation = { id, key, place, value, owner, waiting: [] };
    if (this.#watch.watch(owner)) {
      this.#reservations.set(id, reservation);
      if (this.#isUnique) this.#reserved.set(place, reservation);
    }
    return { ok: true, id, server: this.#self.pid };
  }

  #add(key: unknown, place: unknown, value: unknown, pid: AnyPid): void {
    if (!this.#watch.watch(pid)) return;
    const entry: Entry = { key, place, pid, value, version: 0 };
    addTo(this.#byKey, place, entry);
    addTo(this.#byPid, pid, entry);
    this.#entriesCount += 1;
    this.#tell({ type: "registered", registry: this.#self.pid, key, pid, value });
  }

  // --- unregistering ---

  #unregister(key: unknown, pid: AnyPid, isMeant: (entry: Entry) => boolean): void {
    for (const entry of this.#ownEntries(key, pid)) if (isMeant(entry)) this.#remove(entry);
    this.#forget(pid);
  }

  #remove(entry: Entry): void {
    removeFrom(this.#byKey, entry.place, entry);
    removeFrom(this.#byPid, entry.pid, entry);
    this.#entriesCount -= 1;
    this.#tell({ type: "unregistered", registry: this.#self.pid, key: entry.key, pid: entry.pid });
  }

  /** Stops watching a process that has nothing here any more. */
  #forget(pid: AnyPid): void {
    if (this.#byPid.has(pid)) return;
    for (const { owner } of this.#reservations.values()) if (owner === pid) return;
    this.#watch.unwatch(pid);
  }

  #ended(pid: AnyPid): void {
    for (const entry of this.#byPid.get(pid) ?? []) this.#remove(entry);
    for (const { id, owner } of this.#reservations.values()) {
      if (owner === pid) this.handleCast({ registry: "release", id });
    }
  }

  // --- reading ---

  #entries(key: unknown): Entry[] {
    return [...(this.#byKey.get(comparableKey(key)) ?? [])];
  }

  #ownEntries(key: unknown, pid: AnyPid): Entry[] {
    const place = comparableKey(key);
    const ofKey = this.#byKey.get(place);
    const ofPid = this.#byPid.get(pid);
    if (ofKey === undefined || ofPid === undefined) return [];
    // One process may have many keys, and one key many processes.
    if (ofKey.size < ofPid.size) return [...ofKey].filter((entry) => entry.pid === pid);
    return [...ofPid].filter((entry) => Object.is(entry.place, place));
  }

  #read(key: unknown, pid: AnyPid): { readonly value: unknown; readonly version: number } | undefined {
    if (!this.#isUnique) throw new TypeError("updateValue needs a registry with unique keys");
    const [entry] = this.#entries(key);
    return entry?.pid === pid ? { value: entry.value, version: entry.version } : undefined;
  }

  #write(key: unknown, pid: AnyPid, value: unknown, version: number): boolean {
    const [entry] = this.#entries(key);
    if (entry?.pid !== pid || entry.version !== version) return false;
    entry.value = value;
    entry.version += 1;
    return true;
  }

  /** A listener that is not there, or takes no more, is its own misfortune. */
  #tell(message: RegistryMessage): void {
    for (const listener of this.#listeners) {
      try {
        this.#self.kernel.send(listener, message);
      } catch {
        // Its mailbox has counted the message, or nobody has the name.
      }
    }
  }
}

function failed(error: RegisterProblem): { readonly ok: false; readonly error: RegisterProblem } {
  return { ok: false, error };
}

function addTo(table: Map<unknown, Set<Entry>>, place: unknown, entry: Entry): void {
  const entries = table.get(place);
  if (entries === undefined) table.set(place, new Set([entry]));
  else entries.add(entry);
}

function removeFrom(table: Map<unknown, Set<Entry>>, place: unknown, entry: Entry): void {
  const entries = table.get(place);
  entries?.delete(entry);
  if (entries?.size === 0) table.delete(place);
}

/** Whether `value` has at least what `pattern` has. */
function matches(value: unknown, pattern: unknown): boolean {
  if (Object.is(value, pattern)) return true;
  if (typeof value !== "object" || typeof pattern !== "object" || value === null || pattern === null) return false;
  if (pattern instanceof Pid || Array.isArray(value) !== Array.isArray(pattern)) return false;
  return Object.entries(pattern).every(
    ([name, item]) => Object.hasOwn(value, name) && matches((value as Record<string, unknown>)[name], item),
  );
}

/** A key for people. */
function describeKey(key: unknown): string {
  return typeof key === "string" ? key : shown(key);
}
