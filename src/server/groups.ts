/**
 * Groups: processes that belong together under a name, and messages to all of them, OTP's pg and Phoenix's PubSub.
 *
 *   await startGroups(self, { name: "events" });
 *   const events = new Groups<string, Order>(self, "events");
 *   await events.subscribe("orders");
 *   events.publish("orders", order);
 *
 * A scope is a process of one kernel with groups of its own; processes of this kernel and of others reach it by pid or name,
 * join, and publish, whatever carrier they run on. A topic is a group, and a subscriber is a member. A group is there while
 * it has members; a process may join several times and is a member as often.
 * Guarantees: a process's memberships and monitors are gone before anybody in the scope's kernel learns of its end, also when
 * its carrier is lost. Messages of one publisher arrive at each member in the order in which they were published. A full
 * member is that member's matter: the policy of its mailbox holds, and what it refuses is counted; publishing does not
 * fail and the other members get all.
 * In the scope's own kernel the publisher sends to the members itself, so nothing waits in between, and a mailbox or channel
 * with the policy `block` holds the publisher as it holds any sender. From another kernel one message goes to the scope,
 * which sends on and is held by nobody: what finds a mailbox with `block` full, or more than `relayWaitingMaxBytes` waiting
 * for a channel, is refused and counted.
 * Limits: `membershipsMax`; `publicationsWaitingMax` messages from other kernels, any more are dropped and counted. Each member
 * in another kernel costs one message there. What cannot be copied fails in the publisher, and then nobody gets it, if a
 * member is in another kernel.
 * Unlike OTP: members may be in any kernel, not only in the scope's own; a scope does not join with scopes of the same name
 * in other kernels, because all can use the one above.
 * Not here: one process per key (registry.ts).
 *
 * @module
 */
import { assertWhole, inWords } from "../base/limit.ts";
import type { Milliseconds } from "../base/platform.ts";
import { isWithin } from "../kernel/connection.ts";
import { EndWatch } from "../kernel/end-watch.ts";
import { describeReason, ProcessEnded } from "../kernel/exit-reason.ts";
import { isDown } from "../kernel/message.ts";
import type { Ref } from "../kernel/pid.ts";
import { Pid, type AnyPid } from "../kernel/pid.ts";
import { callTimeoutMsDefault, type AnyProcess, type StartOptions } from "../kernel/process.ts";
import type { DefinedProgram } from "../kernel/program.ts";
import { MessageTooLargeError } from "../kernel/signal.ts";
import { UncopyableError } from "../kernel/wire.ts";
import { comparableKey } from "./key.ts";
import { defineServer, noReply, type Outcome, type Server } from "./server.ts";

/** Memberships and monitors that a scope holds unless told otherwise. */
export const membershipsMaxDefault = 1_000_000;
/** Messages of other kernels that may wait for a scope started with `startGroups`, unless it is given another `mailbox`. */
export const publicationsWaitingMax = 100_000;

/** Bytes that may wait for the channel to a member before the scope sends no more there on behalf of other kernels. */
export const relayWaitingMaxBytes: number = 16 * 2 ** 20;

/** How a scope is set up. */
export interface GroupsOptions {
  /** Memberships and monitors at most; default `membershipsMaxDefault`. One more throws `GroupsFullError` in who asks. */
  readonly membershipsMax?: number;
}

/** What a monitor of a group or scope gets (OTP pg `{Ref, join | leave, Group, Pids}`). */
export interface GroupMessage<Name = unknown> {
  readonly type: "groupJoin" | "groupLeave";
  readonly ref: Ref;
  readonly group: Name;
  /** As often as it joined or left. */
  readonly pids: readonly AnyPid[];
}

/** Whom a message does not go to. */
export interface PublishOptions {
  /** Not to this process (Phoenix `broadcast_from`). */
  readonly except?: AnyPid;
  /** Only to members in the publisher's own kernel (Phoenix `local_broadcast`). */
  readonly local?: boolean;
}

/** Numbers of a scope, since it started. */
export interface GroupsInfo {
  readonly groups: number;
  readonly memberships: number;
  /** Messages published. */
  readonly published: number;
  /** Messages sent to members. */
  readonly sent: number;
  /** Messages and monitors' notices that a receiver or the way to it refused. Mailboxes count what they drop by themselves. */
  readonly refused: number;
}

/** A scope holds as many memberships and monitors as it may. */
export class GroupsFullError extends Error {
  constructor(membershipsMax: number) {
    super(`the scope is full (${membershipsMax} memberships and monitors); raise membershipsMax`);
    this.name = "GroupsFullError";
  }
}

/**
 * A scope as a program, for `child`: `child("events", defineGroups(), { name: "events" })`.
 * @throws RangeError when `membershipsMax` is no whole number.
 */
export function defineGroups(options: GroupsOptions = {}): DefinedProgram<unknown, readonly never[]> {
  assertWhole("membershipsMax", options.membershipsMax ?? membershipsMaxDefault, 1);
  return defineServer((self: AnyProcess) => {
    const scope = new GroupsServer(self, options);
    scopes.set(self.pid, scope);
    self.own({ close: () => void scopes.delete(self.pid) });
    return scope;
  });
}

/** Starts a scope (OTP pg:start_link/1). */
export function startGroups(
  self: AnyProcess,
  options: GroupsOptions & StartOptions<readonly never[]> = {},
): Promise<Pid<unknown>> {
  const mailbox = { messagesMax: publicationsWaitingMax, policy: "failSender" } as const;
  return self.start(defineGroups(options), { mailbox, ...options });
}

/** A scope as one process sees it. Each method that gives a promise fails as `call` does when the scope is not there. */
export class Groups<Name = unknown, Message = unknown> {
  readonly #self: AnyProcess;
  /** The pid or name of the scope. */
  readonly scope: AnyPid | string;
  readonly #timeoutMs: Milliseconds;

  /** For the process `self`; `scope` is the pid or name of the scope. */
  constructor(self: AnyProcess, scope: AnyPid | string, options: { readonly timeoutMs?: Milliseconds } = {}) {
    this.#self = self;
    this.scope = scope;
    this.#timeoutMs = options.timeoutMs ?? callTimeoutMsDefault;
  }

  /**
   * Makes this process or others members, once more each time (OTP pg:join/3). Those that have ended are passed over.
   * @throws TypeError when the group's name is no key (key.ts), or a pid is none; GroupsFullError, and then none has joined.
   */
  async join(group: Name, pids: AnyPid | readonly AnyPid[] = this.#self.pid): Promise<void> {
    await this.#ask({ groups: "join", group, pids: listOf(pids) });
  }

  /** Takes back one membership of each (OTP pg:leave/3); false when none of them was a member (OTP `not_joined`). */
  async leave(group: Name, pids: AnyPid | readonly AnyPid[] = this.#self.pid): Promise<boolean> {
    return (await this.#ask({ groups: "leave", group, pids: listOf(pids), all: false })) as boolean;
  }

  /** Joins this process: from now on it gets what is published (Phoenix PubSub.subscribe/2). */
  subscribe(topic: Name): Promise<void> {
    return this.join(topic);
  }

  /** Takes back all memberships of this process (PubSub.unsubscribe/2). What is in its mailbox stays. */
  async unsubscribe(topic: Name): Promise<void> {
    await this.#ask({ groups: "leave", group: topic, pids: [this.#self.pid], all: true });
  }

  /**
   * Sends `message` to each member, as often as it joined (PubSub.broadcast/3).
   * A full mailbox or channel with the policy `block` holds this process as after `send`; no other one is felt here.
   * @throws UncopyableError, MessageTooLargeError: nobody got it. Error when nobody has the scope's name.
   */
  publish(group: Name, message: Message, options: PublishOptions = {}): void {
    const publication: Publication = {
      type: publicationType,
      group,
      message,
      except: options.except ?? null,
      kernelId: options.local === true ? this.#self.kernel.id : null,
    };
    // As `send` does; the way past it must not let code speak whose process has ended.
    if (!this.#self.isAlive(this.#self.pid)) throw new ProcessEnded();
    const scope = this.#localScope();
    if (scope === undefined) this.#self.send(this.scope as Pid<unknown>, publication);
    else scope.publish(publication, this.#self);
  }

  /** The members, each as often as it joined (OTP pg:get_members/2). */
  async getMembers(group: Name): Promise<readonly AnyPid[]> {
    return (await this.#ask({ groups: "members", group, kernelId: null })) as readonly AnyPid[];
  }

  /** The members in this process's own kernel (OTP pg:get_local_members/2). */
  async getLocalMembers(group: Name): Promise<readonly AnyPid[]> {
    const kernelId = this.#self.kernel.id;
    return (await this.#ask({ groups: "members", group, kernelId })) as readonly AnyPid[];
  }

  /** The groups that have members (OTP pg:which_groups/1). */
  async whichGroups(): Promise<readonly Name[]> {
    return (await this.#ask({ groups: "groups", kernelId: null })) as readonly Name[];
  }

  /** The groups that have members in this process's own kernel (OTP pg:which_local_groups/1). */
  async whichLocalGroups(): Promise<readonly Name[]> {
    return (await this.#ask({ groups: "groups", kernelId: this.#self.kernel.id })) as readonly Name[];
  }

  /**
   * Gives the members now and, from then on, a `GroupMessage` for whoever joins or leaves, without a gap (OTP pg:monitor/2).
   * @throws GroupsFullError
   */
  async monitor(group: Name): Promise<{ readonly ref: Ref; readonly members: readonly AnyPid[] }> {
    const ref = this.#self.alias();
    const members = await this.#watch({ groups: "monitor", ref, group });
    return { ref, members: members as readonly AnyPid[] };
  }

  /** As `monitor`, of all groups of the scope (OTP pg:monitor_scope/1). */
  async monitorScope(): Promise<{ readonly ref: Ref; readonly groups: ReadonlyMap<Name, readonly AnyPid[]> }> {
    const ref = this.#self.alias();
    const groups = await this.#watch({ groups: "monitorScope", ref });
    return { ref, groups: new Map(groups as readonly [Name, readonly AnyPid[]][]) };
  }

  /** Ends a monitor: no message of it comes after this was called (OTP pg:demonitor/2). False when there was none. */
  async demonitor(ref: Ref): Promise<boolean> {
    this.#self.unalias(ref);
    const existed = (await this.#ask({ groups: "demonitor", ref })) as boolean;
    const { mailbox } = this.#self;
    for (let position = 0; position >= 0;) {
      position = mailbox?.find((message) => isGroupMessage(message, ref)) ?? -1;
      if (position >= 0) mailbox?.takeAt(position);
    }
    return existed;
  }

  /** Numbers of the scope. */
  async info(): Promise<GroupsInfo> {
    return (await this.#ask({ groups: "info" })) as GroupsInfo;
  }

  async #watch(request: Request & { readonly ref: Ref }): Promise<unknown> {
    try {
      return await this.#ask(request);
    } catch (thrown) {
      this.#self.unalias(request.ref);
      throw thrown;
    }
  }

  async #ask(request: Request): Promise<unknown> {
    if ("group" in request) comparableKey(request.group);
    const reply = await this.#self.request(this.scope, request, this.#timeoutMs);
    const refused = refusalOf(reply);
    if (refused?.membershipsMax !== undefined) throw new GroupsFullError(refused.membershipsMax);
    if (refused !== undefined) throw new TypeError(refused.description);
    return reply;
  }

  /** The scope itself when it is in this kernel: a table that everybody there may read. */
  #localScope(): GroupsServer | undefined {
    const pid = typeof this.scope === "string" ? this.#self.whereis(this.scope) : this.scope;
    return pid !== undefined && this.#self.isAlive(pid) ? scopes.get(pid) : undefined;
  }
}

/** Whether `message` tells of who joined or left, optionally of one monitor. */
export function isGroupMessage(message: unknown, ref?: Ref): message is GroupMessage {
  const notice = message as GroupMessage | null | undefined;
  if (typeof notice !== "object" || (notice?.type !== "groupJoin" && notice?.type !== "groupLeave")) return false;
  return ref === undefined || notice.ref === ref;
}

type Request =
  | { readonly groups: "join"; readonly group: unknown; readonly pids: readonly AnyPid[] }
  | { readonly groups: "leave"; readonly group: unknown; readonly pids: readonly AnyPid[]; readonly all: boolean }
  /** Only those of one kernel, unless null. */
  | { readonly groups: "members"; readonly group: unknown; readonly kernelId: string | null }
  | { readonly groups: "groups"; readonly kernelId: string | null }
  | { readonly groups: "monitor"; readonly ref: Ref; readonly group: unknown }
  | { readonly groups: "monitorScope" | "demonitor"; readonly ref: Ref }
  | { readonly groups: "info" };

const publicationType = "$publish";

interface Publication {
  readonly type: typeof publicationType;
  readonly group: unknown;
  readonly message: unknown;
  readonly except: AnyPid | null;
  /** Only to members there, unless null. */
  readonly kernelId: string | null;
}

/** The scope could not do what was asked. */
interface Refused {
  readonly tag: "refused";
  readonly description: string;
  /** Set when this limit is the reason. */
  readonly membershipsMax?: number;
}

function refusalOf(reply: unknown): Refused | undefined {
  const isRefused = typeof reply === "object" && reply !== null && (reply as { tag?: unknown }).tag === "refused";
  return isRefused ? (reply as Refused) : undefined;
}

/** @throws TypeError when they are none. */
function listOf(pids: AnyPid | readonly AnyPid[]): readonly AnyPid[] {
  const list: unknown = pids instanceof Pid ? [pids] : pids;
  if (!Array.isArray(list)) throw new TypeError(`members are a pid or a list of pids, not ${inWords(list)}`);
  for (const pid of list) if (!(pid instanceof Pid)) throw new TypeError(`a member is a pid, not ${inWords(pid)}`);
  return list as readonly AnyPid[];
}

/** The scopes of this heap by pid, so that publishing needs no message to the scope. */
const scopes = new WeakMap<AnyPid, GroupsServer>();

/** One group. It is there while it has members or monitors. */
class Group {
  readonly name: unknown;
  readonly place: unknown;
  /** How often each joined. */
  readonly members = new Map<AnyPid, number>();
  readonly monitors = new Set<Ref>();

  constructor(name: unknown, place: unknown) {
    this.name = name;
    this.place = place;
  }

  /** The members, of one kernel or all, as often as they joined. */
  list(kernelId: string | null): AnyPid[] {
    const pids: AnyPid[] = [];
    for (const [pid, count] of this.members) {
      if (kernelId === null || pid.kernelId === kernelId) for (let index = 0; index < count; index += 1) pids.push(pid);
    }
    return pids;
  }
}

class GroupsServer implements Server<Request, never, unknown> {
  readonly #self: AnyProcess;
  readonly #membershipsMax: number;
  readonly #watch: EndWatch;
  readonly #groups = new Map<unknown, Group>();
  /** Where a process is a member or has a monitor. */
  readonly #groupsOf = new Map<AnyPid, Set<Group>>();
  readonly #scopeMonitors = new Set<Ref>();
  #membershipsCount = 0;
  #monitorsCount = 0;
  #publishedCount = 0;
  #sentCount = 0;
  #refusedCount = 0;

  constructor(self: AnyProcess, options: GroupsOptions) {
    this.#self = self;
    this.#membershipsMax = options.membershipsMax ?? membershipsMaxDefault;
    this.#watch = new EndWatch(self, (pid) => this.#ended(pid));
  }

  handleCall(request: Request, from: Ref): Outcome {
    try {
      this.#self.reply(from, this.#answer(request));
    } catch (thrown) {
      const full = thrown instanceof GroupsFullError ? { membershipsMax: this.#membershipsMax } : {};
      const description = thrown instanceof Error ? thrown.message : describeReason(thrown);
      this.#self.reply(from, { tag: "refused", description, ...full } satisfies Refused);
    }
    return noReply;
  }

  handleInfo(message: unknown): void {
    if (isPublication(message)) this.#publishQuietly(message);
    // The watch has told of this end already.
    else if (!isDown(message)) this.#self.kernel.platform.log("warning", `scope ${this.#self.pid} dropped a message`);
  }

  /** The state as `sys.getState` shows it. */
  systemGetState(): unknown {
    return { ...this.#info(), monitors: this.#monitorsCount, processes: this.#groupsOf.size };
  }

  #answer(request: Request): unknown {
    switch (request?.groups) {
      case "join":
        return this.#join(request.group, listOf(request.pids));
      case "leave":
        return this.#leave(request.group, listOf(request.pids), request.all);
      case "members":
        return this.#find(request.group)?.list(request.kernelId) ?? [];
      case "groups":
        return [...this.#groups.values()]
          .filter((group) => hasMembers(group, request.kernelId))
          .map(({ name }) => name);
      case "monitor":
        return this.#monitor(request.group, request.ref);
      case "monitorScope":
        return this.#monitorScope(request.ref);
      case "demonitor":
        return this.#demonitor(request.ref);
      case "info":
        return this.#info();
      default:
        throw new TypeError("a scope of groups does not know this request");
    }
  }

  #info(): GroupsInfo {
    return {
      groups: [...this.#groups.values()].filter((group) => group.members.size > 0).length,
      memberships: this.#membershipsCount,
      published: this.#publishedCount,
      sent: this.#sentCount,
      refused: this.#refusedCount,
    };
  }

  // --- publishing ---

  /**
   * Sends to the members, in the name of `publisher` when it is in this kernel. Those of other kernels come first, so that a
   * message that cannot be copied has reached nobody.
   */
  publish({ group: name, message, except, kernelId }: Publication, publisher: AnyProcess | null): void {
    const group = this.#find(name);
    this.#publishedCount += 1;
    if (group === undefined) return;
    const here = this.#self.kernel.id;
    let isFirst = true;
    for (const [pid, count] of group.members) {
      if (pid.kernelId === here || pid === except || (kernelId !== null && pid.kernelId !== kernelId)) continue;
      this.#sendAcross(pid, count, message, publisher, isFirst);
      isFirst = false;
    }
    if (kernelId !== null && kernelId !== here) return;
    for (const [pid, count] of group.members) {
      if (pid.kernelId !== here || pid === except) continue;
      for (let index = 0; index < count; index += 1) if (this.#send(pid, message, publisher)) this.#sentCount += 1;
    }
  }

  #sendAcross(pid: AnyPid, count: number, message: unknown, publisher: AnyProcess | null, isFirst: boolean): void {
    for (let index = 0; index < count; index += 1) {
      if (publisher === null && this.#waitsTooMuch(pid)) {
        this.#refusedCount += 1;
        continue;
      }
      try {
        this.#self.kernel.send(pid, message, publisher);
        this.#sentCount += 1;
      } catch (refused) {
        const isMessage = refused instanceof UncopyableError || refused instanceof MessageTooLargeError;
        if (isFirst && index === 0 && isMessage) throw refused;
        this.#refusedCount += 1;
      }
    }
  }

  /** Nobody is held for what the scope sends on, so a way that takes nothing would pile it up. */
  #waitsTooMuch(pid: AnyPid): boolean {
    const { kernel } = this.#self;
    if (kernel.gateBefore(pid) === null) return false;
    const ways = kernel.connections().filter(({ kernelId }) => isWithin(pid.kernelId, kernelId));
    const way = ways.toSorted((one, other) => other.kernelId.length - one.kernelId.length)[0];
    return way !== undefined && way.waitingBytes >= relayWaitingMaxBytes;
  }

  /** A receiver that refuses is its own misfortune. */
  #send(to: AnyPid | Ref, message: unknown, publisher: AnyProcess | null): boolean {
    try {
      this.#self.kernel.send(to, message, publisher);
      return true;
    } catch {
      this.#refusedCount += 1;
      return false;
    }
  }

  /** The publisher is in another kernel and cannot be told any more. */
  #publishQuietly(publication: Publication): void {
    try {
      this.publish(publication, null);
    } catch (refused) {
      this.#refusedCount += 1;
      const why = describeReason(refused);
      this.#self.kernel.platform.log("warning", `scope ${this.#self.pid} could not publish a message: ${why}`);
    }
  }

  // --- members ---

  #join(name: unknown, pids: readonly AnyPid[]): void {
    const place = comparableKey(name);
    this.#assertRoom(pids.length);
    const alive = pids.filter((pid) => this.#watch.watch(pid));
    if (alive.length === 0) return;
    const group = this.#groupAt(name, place);
    for (const pid of alive) {
      group.members.set(pid, (group.members.get(pid) ?? 0) + 1);
      this.#note(pid, group);
    }
    this.#membershipsCount += alive.length;
    this.#tell("groupJoin", group, alive);
  }

  #leave(name: unknown, pids: readonly AnyPid[], all: boolean): boolean {
    const group = this.#find(name);
    if (group === undefined) return false;
    const left = pids.flatMap((pid) => this.#removeMember(group, pid, all));
    if (left.length > 0) this.#tell("groupLeave", group, left);
    for (const pid of left) this.#forget(pid, group);
    return left.length > 0;
  }

  /** The pid as often as it left. */
  #removeMember(group: Group, pid: AnyPid, all: boolean): AnyPid[] {
    const count = group.members.get(pid) ?? 0;
    const leavingCount = all ? count : Math.min(count, 1);
    if (leavingCount === count) group.members.delete(pid);
    else group.members.set(pid, count - leavingCount);
    this.#membershipsCount -= leavingCount;
    return Array.from({ length: leavingCount }, () => pid);
  }

  #ended(pid: AnyPid): void {
    for (const ref of this.#scopeMonitors) if (ref.owner === pid) this.#dropMonitor(this.#scopeMonitors, ref);
    const groups = this.#groupsOf.get(pid);
    if (groups === undefined) return;
    this.#groupsOf.delete(pid);
    for (const group of groups) {
      for (const ref of group.monitors) if (ref.owner === pid) this.#dropMonitor(group.monitors, ref);
      const left = this.#removeMember(group, pid, true);
      if (left.length > 0) this.#tell("groupLeave", group, left);
      this.#removeIfEmpty(group);
    }
  }

  #find(name: unknown): Group | undefined {
    return this.#groups.get(comparableKey(name));
  }

  #groupAt(name: unknown, place: unknown): Group {
    let group = this.#groups.get(place);
    if (group === undefined) this.#groups.set(place, (group = new Group(name, place)));
    return group;
  }

  #note(pid: AnyPid, group: Group): void {
    const groups = this.#groupsOf.get(pid);
    if (groups === undefined) this.#groupsOf.set(pid, new Set([group]));
    else groups.add(group);
  }

  /** Takes back the note, and the watch with the last one, unless the process is still in the group. */
  #forget(pid: AnyPid, group: Group): void {
    if (group.members.has(pid) || [...group.monitors].some((ref) => ref.owner === pid)) return;
    this.#groupsOf.get(pid)?.delete(group);
    this.#removeIfEmpty(group);
    this.#unwatch(pid);
  }

  #unwatch(pid: AnyPid): void {
    if ((this.#groupsOf.get(pid)?.size ?? 0) > 0) return;
    this.#groupsOf.delete(pid);
    if (![...this.#scopeMonitors].some((ref) => ref.owner === pid)) this.#watch.unwatch(pid);
  }

  #removeIfEmpty(group: Group): void {
    if (group.members.size === 0 && group.monitors.size === 0) this.#groups.delete(group.place);
  }

  #assertRoom(count: number): void {
    const total = this.#membershipsCount + this.#monitorsCount + count;
    if (total > this.#membershipsMax) throw new GroupsFullError(this.#membershipsMax);
  }

  // --- monitors ---

  #monitor(name: unknown, ref: Ref): AnyPid[] {
    const place = comparableKey(name);
    this.#assertRoom(1);
    const group = this.#groupAt(name, place);
    if (this.#watch.watch(ref.owner)) {
      group.monitors.add(ref);
      this.#monitorsCount += 1;
      this.#note(ref.owner, group);
    }
    return group.list(null);
  }

  #monitorScope(ref: Ref): [unknown, AnyPid[]][] {
    this.#assertRoom(1);
    if (this.#watch.watch(ref.owner)) {
      this.#scopeMonitors.add(ref);
      this.#monitorsCount += 1;
    }
    return [...this.#groups.values()].flatMap((group): [unknown, AnyPid[]][] =>
      group.members.size === 0 ? [] : [[group.name, group.list(null)]],
    );
  }

  #demonitor(ref: Ref): boolean {
    if (this.#dropMonitor(this.#scopeMonitors, ref)) {
      this.#unwatch(ref.owner);
      return true;
    }
    for (const group of this.#groupsOf.get(ref.owner) ?? []) {
      if (!this.#dropMonitor(group.monitors, ref)) continue;
      this.#forget(ref.owner, group);
      return true;
    }
    return false;
  }

  #dropMonitor(monitors: Set<Ref>, ref: Ref): boolean {
    const existed = monitors.delete(ref);
    if (existed) this.#monitorsCount -= 1;
    return existed;
  }

  #tell(type: GroupMessage["type"], group: Group, pids: readonly AnyPid[]): void {
    for (const monitors of [group.monitors, this.#scopeMonitors]) {
      for (const ref of monitors) this.#send(ref, { type, ref, group: group.name, pids } satisfies GroupMessage, null);
    }
  }
}

function hasMembers(group: Group, kernelId: string | null): boolean {
  if (kernelId === null) return group.members.size > 0;
  for (const pid of group.members.keys()) if (pid.kernelId === kernelId) return true;
  return false;
}

function isPublication(message: unknown): message is Publication {
  return typeof message === "object" && message !== null && (message as { type?: unknown }).type === publicationType;
}
