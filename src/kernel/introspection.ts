/**
 * Introspection: looking into a running system from any process of it, whatever kernels it consists of.
 *
 *   const busiest = await top(self, 10, "time");
 *
 * Guarantees: never stops what it looks at, and stays off the fast paths until asked (recon's promise). A kernel that
 * does not answer within `timeoutMs` is named: by `NoAnswerError` where one was asked, in `unanswered` where all were.
 * Not here: halting and changing servers (server/sys.ts).
 *
 * @module
 */
import { ancestorsMax } from "./ancestry.ts";
import type { Milliseconds } from "../base/platform.ts";
import { assertCount, assertDuration, assertOneOf } from "./argument.ts";
import { Exit, type CallFailed } from "./exit-reason.ts";
import { inspectTimeoutMsDefault, messagesShownMaxDefault, NoAnswerError, type ProcessDetails } from "./inspect.ts";
import { Pid, type AnyPid } from "./pid.ts";
import type { AnyProcess } from "./process.ts";
import { answer, type Answer, type Question } from "./question.ts";
import { askKernel } from "./request.ts";
import { needsWork, topCriteria, windowMsDefault, type Member, type TopBy, type TopEntry } from "./top.ts";
import {
  kernelOf,
  traceKinds,
  traceMessagesMaxDefault,
  tracePerSecondMaxDefault,
  type TraceEnded,
  type TraceEvent,
  type TraceKind,
  type TraceLimits,
  type TraceMessage,
  type TraceSubject,
} from "./trace.ts";

/** Processes in a list or tree unless told otherwise. */
export const membersMaxDefault = 10_000;

const scopes = ["kernel", "system"] as const;

/** How long an answer may take. */
export interface AskOptions {
  /** Milliseconds; default `inspectTimeoutMsDefault`. */
  readonly timeoutMs?: Milliseconds;
}

/** Where to look. */
export interface ScopeOptions extends AskOptions {
  /** Only the asker's own kernel (default), or all kernels of the system. */
  readonly scope?: "kernel" | "system";
}

/** What `inspect` gives besides the facts. */
export interface InspectOptions extends AskOptions {
  /** Messages of the mailbox that are shown; default `messagesShownMaxDefault`. */
  readonly messagesMax?: number;
}

/**
 * Everything that is known of a process (OTP process_info/1), by pid or by a name of this kernel or one above; undefined when
 * it has ended or nobody has the name.
 * @throws NoAnswerError when its kernel does not answer in time.
 */
export async function inspect(
  self: AnyProcess,
  who: AnyPid | string,
  options: InspectOptions = {},
): Promise<ProcessDetails | undefined> {
  const { messagesMax = messagesShownMaxDefault, timeoutMs = inspectTimeoutMsDefault } = options;
  assertCount("messagesMax", messagesMax);
  assertDuration(timeoutMs);
  const { clock } = self.kernel.platform;
  const untilMs = clock.monotonicMs() + timeoutMs;
  const pid = typeof who === "string" ? await lookUp(self, who, timeoutMs) : who;
  if (pid === undefined) return undefined;
  const found = await ask(self, pid.kernelId, { kind: "inspect", pid, messagesMax }, untilMs - clock.monotonicMs());
  const details = found?.value as ProcessDetails | undefined;
  if (details === undefined) return undefined;
  return { ...details, ancestors: await allAncestors(self, details.ancestors, untilMs) };
}

/** Names go up: who is not known here is asked for in the kernel above. */
async function lookUp(self: AnyProcess, name: string, timeoutMs: Milliseconds): Promise<AnyPid | undefined> {
  const { id } = self.kernel;
  let pid = self.whereis(name);
  for (let end = id.lastIndexOf("."); pid === undefined && end > 0; end = id.lastIndexOf(".", end - 1)) {
    const found = await ask(self, id.slice(0, end), { kind: "whereis", name }, timeoutMs);
    pid = found?.value as AnyPid | undefined;
  }
  return pid;
}

/** Each kernel knows the parents of its own processes; what does not answer in time is left out. */
async function allAncestors(self: AnyProcess, known: readonly AnyPid[], untilMs: Milliseconds): Promise<AnyPid[]> {
  const ancestors = [...known];
  for (;;) {
    const oldest = ancestors.at(-1);
    const leftMs = untilMs - self.kernel.platform.clock.monotonicMs();
    if (oldest === undefined || ancestors.length >= ancestorsMax || leftMs <= 0) return ancestors;
    try {
      const found = await ask(self, oldest.kernelId, { kind: "ancestors", pid: oldest }, leftMs);
      const older = (found?.value ?? []) as AnyPid[];
      if (older.length === 0) return ancestors;
      ancestors.push(...older);
    } catch {
      return ancestors;
    }
  }
}

/** A ranking of processes. */
export interface Top {
  /** Those with most, first the one with most. */
  readonly entries: readonly TopEntry[];
  /** Kernels that did not answer in time. */
  readonly unanswered: readonly string[];
}

/** What is ranked. */
export interface TopOptions extends ScopeOptions {
  /**
   * How long work is counted for `messages`, `turns` and `time`, in milliseconds; default `windowMsDefault`, or since
   * `countWork` was switched on.
   */
  readonly windowMs?: Milliseconds;
}

/**
 * The `count` processes that have most (recon's proc_count and proc_window): memory or waiting messages now; messages, turns
 * or time in a window from now. @throws RangeError when `count` is not a whole number from 1 on, or `by` no criterion.
 */
export async function top(self: AnyProcess, count: number, by: TopBy, options: TopOptions = {}): Promise<Top> {
  if (!(Number.isInteger(count) && count >= 1))
    throw new RangeError(`top takes a whole number from 1 on, not ${String(count)}`);
  assertOneOf("top ranks by", topCriteria, by);
  const { windowMs, scope, timeoutMs = inspectTimeoutMsDefault } = options;
  assertDuration(timeoutMs);
  if (windowMs !== undefined && !Number.isFinite(windowMs))
    throw new RangeError(`windowMs is a number of milliseconds that ends, not ${String(windowMs)}`);
  const question: Question = { kind: "top", count, by, windowMs };
  const patienceMs = timeoutMs + (needsWork(by) ? (windowMs ?? windowMsDefault) : 0);
  const { values, unanswered } = await gather(self, question, { scope: scope ?? "kernel", timeoutMs: patienceMs });
  const entries = (values as TopEntry[][]).flat().toSorted((one, other) => other.value - one.value);
  return { entries: entries.slice(0, count), unanswered };
}

/** What is listed. */
export interface MembersOptions extends ScopeOptions {
  /** Processes per kernel; default `membersMaxDefault`. The youngest are given. */
  readonly processesMax?: number;
}

/** Processes, and how many there are. */
export interface Listing {
  readonly processes: readonly Member[];
  /** Also those that are not listed. */
  readonly processesCount: number;
  readonly unanswered: readonly string[];
}

/** All processes, the youngest first (OTP processes/0), without stopping anybody, as `Kernel.processes` does. */
export async function listProcesses(self: AnyProcess, options: MembersOptions = {}): Promise<Listing> {
  const { processesMax = membersMaxDefault, scope = "kernel", timeoutMs = inspectTimeoutMsDefault } = options;
  assertCount("processesMax", processesMax);
  const question: Question = { kind: "members", countMax: processesMax };
  const { values, unanswered } = await gather(self, question, { scope, timeoutMs });
  const parts = values as { members: Member[]; processesCount: number }[];
  return {
    processes: parts.flatMap(({ members }) => members),
    processesCount: parts.reduce((sum, part) => sum + part.processesCount, 0),
    unanswered,
  };
}

/** A process and those that it spawned. */
export interface TreeNode extends Member {
  /** The oldest first. */
  readonly children: readonly TreeNode[];
}

/** Who spawned, and so for supervisors who supervises, whom. */
export interface ProcessTree {
  /** Those whose parent has ended, is not listed, or that never had one; the oldest first. */
  readonly roots: readonly TreeNode[];
  readonly processesCount: number;
  readonly unanswered: readonly string[];
}

/** The processes as a tree of parents and children. */
export async function processTree(self: AnyProcess, options: MembersOptions = {}): Promise<ProcessTree> {
  const { processes, processesCount, unanswered } = await listProcesses(self, options);
  const nodes = new Map<AnyPid, Member & { readonly children: TreeNode[] }>();
  const oldestFirst = processes.toReversed();
  for (const member of oldestFirst) nodes.set(member.pid, { ...member, children: [] });
  const roots: TreeNode[] = [];
  for (const node of nodes.values()) {
    const parent = node.parent === undefined ? undefined : nodes.get(node.parent);
    if (parent === undefined) roots.push(node);
    else parent.children.push(node);
  }
  return { roots, processesCount, unanswered };
}

/**
 * Switches counting of messages, turns and time on or off, in one kernel (default: the asker's own). Costs while it is on.
 * @throws NoAnswerError
 */
export async function countWork(self: AnyProcess, on: boolean, options: RecordOptions = {}): Promise<void> {
  await record(self, "work", on, options);
}

/**
 * Switches noting where processes wait on or off (`waitsAt` of `inspect`), in one kernel. Costs a stack trace per `receive`
 * that waits. @throws NoAnswerError
 */
export async function recordPlaces(self: AnyProcess, on: boolean, options: RecordOptions = {}): Promise<void> {
  await record(self, "places", on, options);
}

/** Which kernel is meant. */
export interface RecordOptions extends AskOptions {
  /** That of this process; default: the asker's own. */
  readonly kernelOf?: AnyPid;
}

async function record(
  self: AnyProcess,
  what: "work" | "places",
  on: boolean,
  { kernelOf: where = self.pid, timeoutMs = inspectTimeoutMsDefault }: RecordOptions,
): Promise<void> {
  await ask(self, where.kernelId, { kind: "record", what, on }, timeoutMs);
}

/** What a trace tells, to whom, and when it stops. */
export interface TraceOptions extends TraceLimits, AskOptions {
  /** Default all. */
  readonly kinds?: readonly TraceKind[];
  /** Default the asker. A process gets `TraceMessage`s and at last `TraceEnded`; a function gets what is in them. */
  readonly to?: AnyPid | ((event: TraceEvent | TraceEnded) => void);
}

/**
 * Traces a process, several of one kernel, or all of this kernel that a predicate accepts (recon_trace:calls/3). Returns
 * the trace's own pid: it ends the trace to `exit` it.
 * @throws NoAnswerError; RangeError for limits below 1 and unknown kinds; Error for pids of several kernels and for a tracer
 * that is neither a pid nor a function.
 */
export async function trace(
  self: AnyProcess,
  of: AnyPid | readonly AnyPid[] | ((process: TraceSubject) => boolean),
  options: TraceOptions = {},
): Promise<AnyPid> {
  const { kinds = traceKinds, timeoutMs = inspectTimeoutMsDefault } = options;
  const { messagesMax = traceMessagesMaxDefault, perSecondMax = tracePerSecondMaxDefault } = options;
  if (!(messagesMax >= 1 && perSecondMax >= 1)) throw new RangeError("a trace tells of one event or more");
  for (const kind of kinds) assertOneOf("a trace tells of", traceKinds, kind);
  const pids = typeof of === "function" ? null : Array.isArray(of) ? (of as readonly AnyPid[]) : [of as AnyPid];
  const kernelId = pids === null ? self.kernel.id : kernelOf(pids);
  const { to = self.pid } = options;
  if (typeof to !== "function" && !(to instanceof Pid))
    throw new Error(`a trace tells a pid or a function, not ${String(to)}`);
  const relay = typeof to === "function" ? relayTo(self, to) : null;
  const tracer = relay === null ? (to as AnyPid) : relay.pid;
  const subjects = pids === null ? (of as (process: TraceSubject) => boolean) : pids.map(({ serial }) => serial);
  const order = { of: subjects, kinds, messagesMax, perSecondMax, to: tracer };
  try {
    const begun = await ask(self, kernelId, { kind: "trace", order }, timeoutMs);
    if (begun === undefined) throw new NoAnswerError(kernelId, timeoutMs);
    return begun.value as AnyPid;
  } catch (failed) {
    if (relay !== null) self.kernel.end(relay, "normal");
    throw failed;
  }
}

/** A process that hands what it gets to a function, and ends with its trace. */
function relayTo(self: AnyProcess, tell: (event: TraceEvent | TraceEnded) => void): AnyProcess {
  const relay = self.kernel.attach<TraceMessage | TraceEnded>("trace relay");
  relay.react((message) => {
    const told = message as TraceMessage | TraceEnded;
    tell(told.type === "trace" ? told.event : told);
    if (told.type === "traceEnded") relay.exit("normal");
  });
  return relay;
}

interface Gathered {
  readonly values: unknown[];
  readonly unanswered: string[];
}

/** Asks one kernel or all; those below each are known only to it. */
async function gather(self: AnyProcess, question: Question, options: Required<ScopeOptions>): Promise<Gathered> {
  assertOneOf("a scope is", scopes, options.scope);
  const values: unknown[] = [];
  const unanswered: string[] = [];
  const visit = async (kernelId: string): Promise<void> => {
    let found: (Answer & { ok: true }) | undefined;
    try {
      found = await ask(self, kernelId, question, options.timeoutMs);
    } catch (failed) {
      if (!(failed instanceof NoAnswerError)) throw failed;
      unanswered.push(kernelId);
      return;
    }
    if (found === undefined) return;
    values.push(found.value);
    if (options.scope === "system") await Promise.all(found.below.map(visit));
  };
  await visit(options.scope === "system" ? (self.kernel.id.split(".", 1)[0] as string) : self.kernel.id);
  return { values, unanswered };
}

/** Undefined when the kernel is gone. */
async function ask(
  self: AnyProcess,
  kernelId: string,
  question: Question,
  timeoutMs: Milliseconds,
): Promise<(Answer & { ok: true }) | undefined> {
  assertDuration(timeoutMs);
  let found: Answer;
  if (kernelId === self.kernel.id) {
    found = await self.wait(answer(self.kernel, question, false));
  } else {
    try {
      found = (await askKernel(self, kernelId, question, timeoutMs)) as Answer;
    } catch (failed) {
      if (!(failed instanceof Exit)) throw failed;
      if ((failed.reason as CallFailed).reason === "timeout") throw new NoAnswerError(kernelId, timeoutMs);
      return undefined;
    }
  }
  if (!found.ok) throw new Error(`kernel ${kernelId} could not answer: ${found.description}`);
  return found;
}
