/**
 * Inspect: everything that is known of one process, whatever kernel it runs in (OTP process_info/1, recon's info).
 *
 * Guarantees: asks and changes nothing; a process that has ended gives undefined; a kernel that does not answer, because
 * its thread is blocked, gives `NoAnswerError` within `timeoutMs`.
 * Unlike Erlang: memory is an estimate of what the kernel holds for the process, because V8 counts per heap only; for the
 * program of a thread or OS process and for commands, `host` says what the operating system counts. Where a process waits
 * and how much it has worked is known only while that is noted (`recordPlaces`, `countWork`), because noting it costs.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { ancestorPidsOf } from "./ancestry.ts";
import type { Kernel } from "./kernel.ts";
import { messagesMaxDefault, type Mailbox, type MailboxPolicy } from "./mailbox.ts";
import type { Work } from "./observer.ts";
import type { AnyPid } from "./pid.ts";
import { isHeld, labelOf, sleepMatch, type AnyProcess, type ProcessInfo } from "./process.ts";
import { copyable } from "./trace.ts";

/** Milliseconds that a kernel may take to answer, unless told otherwise. */
export const inspectTimeoutMsDefault: Milliseconds = 5000;
/** Links, monitors and watchers of a process that are shown, of each at most; a supervisor may have a hundred thousand. */
export const relationsShownMax = 1000;
/** Messages shown of a mailbox, unless told otherwise. */
export const messagesShownMaxDefault = 10;

/** What an idle process takes, measured with `npm run bench -- memory`: its record, its body's frame, its promise. */
const processBytes = 1300;
const linkBytes = 40;
const handleBytes = 100;
/** How closely memory is estimated. */
interface Care {
  /** Messages of a mailbox that are measured to guess at the others. */
  readonly messages: number;
  /** Values inside a message that are looked at to guess its size. */
  readonly values: number;
}

/** For one process. */
const closely: Care = { messages: 16, values: 64 };
/** For a hundred thousand: about a microsecond each. */
const roughly: Care = { messages: 1, values: 16 };

/** What a process does, or what keeps it from running. */
export type ProcessStatus =
  /** Its code runs now: it asks about itself. */
  | "running"
  /** It may run as soon as it is its turn. */
  | "runnable"
  | "waiting"
  /** Halted by `sys.suspend`. */
  | "suspended"
  /** Its handles are being closed. */
  | "exiting";

/** What a waiting process waits for. */
export type WaitsFor =
  /** In `receive`, or a server for its next message. */
  | "message"
  /** For the reply to a call; see `callTargets`. */
  | "reply"
  /** In `sleep`. */
  | "time"
  /** For room in what it has sent to; see `heldBy`. */
  | "room"
  /** For something that only the host knows of: a bare `await`, `self.wait`. */
  | "host";

/** What executes a process. */
export interface HostFacts {
  readonly carrier: "thread" | "os-process" | "command";
  readonly osPid: number | undefined;
  /** Resident memory: of a command's whole group, of an OS process; a thread has none of its own. */
  readonly residentBytes?: number;
  /** CPU time used so far, in milliseconds, as far as the host counts it. */
  readonly cpuMs?: Milliseconds;
  /** Of the JavaScript heap that the program has to itself. */
  readonly heapUsedBytes?: number;
  /** How long the event loop was not idle so far, in milliseconds. */
  readonly activeMs?: Milliseconds;
}

/** A process, from outside. */
export interface ProcessDetails {
  readonly pid: AnyPid;
  readonly name: string | undefined;
  readonly label: string | undefined;
  readonly carrier: "coroutine" | HostFacts["carrier"];
  readonly status: ProcessStatus;
  /** Undefined when it does not wait. */
  readonly waitsFor: WaitsFor | undefined;
  /** Who it has called and not heard from: usually one. */
  readonly callTargets: readonly (AnyPid | string)[];
  /** What is full and holds it back as a sender (back-pressure), for people. */
  readonly heldBy: readonly string[];
  /** Until the `receive` or `sleep` that it waits in runs out of time. */
  readonly waitsMs: Milliseconds | undefined;
  /** The stack of the `receive` that it waits in, its own code first; only while `recordPlaces` is on. */
  readonly waitsAt: readonly string[] | undefined;
  readonly messagesCount: number;
  /** The oldest messages, at most `messagesMax`. */
  readonly messages: readonly unknown[];
  /** Messages lost to the mailbox limit. */
  readonly droppedCount: number;
  /** The limit of its mailbox, and what happens beyond. */
  readonly messagesMax: number;
  readonly policy: MailboxPolicy;
  /** At most `relationsShownMax`, as of the next two. */
  readonly links: readonly AnyPid[];
  readonly linksCount: number;
  readonly monitors: readonly (AnyPid | string)[];
  readonly monitoredBy: readonly AnyPid[];
  readonly monitoredByCount: number;
  readonly trapExit: boolean;
  readonly parent: AnyPid | undefined;
  /** Its parent, the parent's parent and so on, as far as they live or are known. */
  readonly ancestors: readonly AnyPid[];
  readonly handlesCount: number;
  /** Timers whose message is for it. */
  readonly timersCount: number;
  /** What the kernel holds for it, estimated; not what its body's variables hold. */
  readonly memoryBytes: number;
  /** Wall-clock milliseconds; known of what was started with `start`, of commands and of programs on other carriers. */
  readonly startedAtMs: Milliseconds | undefined;
  /** Since `countWork` was switched on; undefined while it is off. */
  readonly work: Readonly<Work> | undefined;
  readonly host: HostFacts | undefined;
}

/** The kernel of a process did not answer in time: it may be blocked. */
export class NoAnswerError extends Error {
  readonly kernelId: string;

  constructor(kernelId: string, timeoutMs: Milliseconds) {
    super(`kernel ${kernelId} did not answer within ${timeoutMs} ms; its thread or OS process may be blocked`);
    this.name = "NoAnswerError";
    this.kernelId = kernelId;
  }
}

/** What is known of a process of `kernel`. With `copies`, messages that cannot leave the kernel are described. */
export function detailsOf(kernel: Kernel, process: AnyProcess, messagesMax: number, copies: boolean): ProcessDetails {
  const { extra } = process;
  const host = extra?.host?.();
  const messages = process.mailbox?.peek(messagesMax) ?? [];
  const observer = kernel.observer;
  const { status, waitsFor } = stateOf(process);
  const monitors = firstOf(process.monitors);
  const work = observer?.standing?.find(process);
  return {
    pid: process.pid,
    name: extra?.name,
    label: labelOf(process),
    carrier: host?.carrier ?? "coroutine",
    status,
    waitsFor,
    callTargets: callTargetsOf(process),
    heldBy: heldByOf(process),
    waitsMs: process.waitTimer === null ? undefined : kernel.timers.remaining(process.waitTimer) || 0,
    waitsAt: process.wake === null ? undefined : placeOf(observer?.placeOf(process)),
    messagesCount: queueLengthOf(process),
    messages: copies ? messages.map((message) => copyable(kernel, message)) : messages,
    droppedCount: extra?.droppedCount ?? 0,
    messagesMax: extra?.messagesMax ?? messagesMaxDefault,
    policy: extra?.policy ?? "endReceiver",
    links: firstOf(process.links),
    linksCount: process.links?.size ?? 0,
    monitors: monitors.flatMap((ref) => (ref.pending === null ? (ref.targetName ?? ref.target ?? []) : [])),
    monitoredBy: firstOf(process.watchers).map((ref) => ref.owner),
    monitoredByCount: process.watchers?.size ?? 0,
    trapExit: process.trapping,
    parent: process.parent,
    ancestors: ancestorsOf(process),
    handlesCount: extra?.handles?.size ?? 0,
    timersCount: extra?.timers?.size ?? 0,
    memoryBytes: memoryOf(process, closely),
    startedAtMs: extra?.startedAtMs,
    work: observer?.standing == null ? undefined : { messagesCount: 0, turnsCount: 0, timeMs: 0, ...work },
    host,
  };
}

/** The short form, for processes of the same kernel; see `Process.info`. */
export function infoOf(process: AnyProcess): ProcessInfo {
  const { status } = stateOf(process);
  return {
    pid: process.pid,
    name: process.extra?.name,
    label: labelOf(process),
    parent: process.parent,
    // A server that `sys` has halted still waits for messages, as in Erlang.
    status: status === "suspended" ? "waiting" : status,
    messagesCount: queueLengthOf(process),
    droppedCount: process.extra?.droppedCount ?? 0,
    links: [...(process.links ?? [])],
    monitors: [...(process.monitors ?? [])].flatMap((ref) => ref.targetName ?? ref.target ?? []),
    monitoredBy: [...(process.watchers ?? [])].map((ref) => ref.owner),
    trapExit: process.trapping,
  };
}

function firstOf<T>(relations: ReadonlySet<T> | null): T[] {
  const shown: T[] = [];
  if (relations === null) return shown;
  for (const relation of relations) {
    if (shown.length === relationsShownMax) break;
    shown.push(relation);
  }
  return shown;
}

/** Messages that wait for a process. */
export function queueLengthOf(process: AnyProcess): number {
  return (process.mailbox?.size ?? 0) + (process.extra?.intake?.size ?? 0);
}

/** The parents of a process of this kernel; the last may be a process of another kernel. */
export function ancestorsOf(process: AnyProcess): AnyPid[] {
  return ancestorPidsOf(process.pid);
}

function stateOf(process: AnyProcess): Pick<ProcessDetails, "status" | "waitsFor"> {
  if (process.stage === "exiting") return { status: "exiting", waitsFor: undefined };
  if (process.extra?.suspended === true) return { status: "suspended", waitsFor: "message" };
  if (process.kernel.platform.strays.current?.() === process) return { status: "running", waitsFor: undefined };
  if (process.queued || process.stage === "new") return { status: "runnable", waitsFor: undefined };
  return { status: "waiting", waitsFor: waitsForOf(process) };
}

function waitsForOf(process: AnyProcess): WaitsFor {
  if (isHeld(process)) return "room";
  if (process.wake !== null) return process.match === sleepMatch ? "time" : "message";
  if (callTargetsOf(process).length > 0) return "reply";
  // What a command gets goes to its standard input; its process waits for the OS process.
  const isServer = process.reactor !== null && (process.extra?.intake ?? null) === null;
  return isServer && !process.busy ? "message" : "host";
}

function heldByOf(process: AnyProcess): string[] {
  const gates = [...(process.extra?.held?.gates ?? [])];
  return gates.filter((gate) => gate.holds(process)).map((gate) => gate.name());
}

function callTargetsOf(process: AnyProcess): (AnyPid | string)[] {
  const targets: (AnyPid | string)[] = [];
  for (const ref of process.monitors ?? []) {
    const target = ref.targetName ?? ref.target;
    if (ref.pending !== null && target !== null) targets.push(target);
  }
  return targets;
}

/** The lines of a stack below the kernel's own. These are known by their names: a bundle has no file for each module. */
function placeOf(stack: string | undefined): string[] | undefined {
  const lines = stack
    ?.split("\n")
    .slice(1)
    .map((line) => line.trim().replace(/^at /, ""));
  const first = lines?.findIndex((line) => !kernelFrame.test(line)) ?? -1;
  return lines?.slice(first < 0 ? lines.length : first).filter((line) => !line.startsWith("node:"));
}

const kernelFrame =
  /^(?:async )?(?:(?:_?(?:Observer|Process|Kernel)\.)?#?(?:waits|receive\w*) |new Promise\b)|\/kernel\/(?:process|observer)\.[jt]s/;

/** What the kernel holds for a process, estimated in bytes. */
export function memoryOf(process: AnyProcess, care: Care = roughly): number {
  const { extra, links, monitors, watchers, mailbox } = process;
  const refsCount = (links?.size ?? 0) + (monitors?.size ?? 0) + (watchers?.size ?? 0);
  const heldCount = (extra?.handles?.size ?? 0) + (extra?.timers?.size ?? 0);
  const messagesBytes = mailbox === null || mailbox.size === 0 ? 0 : mailbox.size * messageBytesOf(mailbox, care);
  return processBytes + refsCount * linkBytes + heldCount * handleBytes + messagesBytes;
}

function messageBytesOf(mailbox: Mailbox, care: Care): number {
  const measured = mailbox.peek(care.messages);
  let bytes = 0;
  for (const message of measured) bytes += bytesOf(message, { left: care.values });
  return bytes / measured.length;
}

/** About how much memory a value takes; looks at no more than `budget.left` values inside it, and calls no getters. */
function bytesOf(value: unknown, budget: { left: number }): number {
  budget.left -= 1;
  if (typeof value === "string") return 16 + value.length;
  if (typeof value !== "object" || value === null) return 8;
  if (ArrayBuffer.isView(value)) return 100 + value.byteLength;
  if (value instanceof ArrayBuffer) return 100 + value.byteLength;
  if (value instanceof Map || value instanceof Set) return 64 + value.size * 48;
  if (!Array.isArray(value)) return recordBytes(value, budget);
  let bytes = 32 + value.length * 8;
  for (let index = 0; index < value.length && budget.left > 0; index += 1) bytes += bytesOf(value[index], budget);
  return bytes;
}

function recordBytes(value: object, budget: { left: number }): number {
  let bytes = 32;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Of instances only what their fields take: they may lead anywhere.
  const isPlain = prototype === Object.prototype || prototype === null;
  for (const key of Object.keys(value)) {
    bytes += 8;
    if (budget.left <= 0 || !isPlain) continue;
    const field = Object.getOwnPropertyDescriptor(value, key);
    if (field !== undefined && "value" in field) bytes += bytesOf(field.value, budget);
  }
  return bytes;
}
