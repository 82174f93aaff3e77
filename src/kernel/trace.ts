/**
 * Trace: tells of the messages, calls and ends of chosen processes, as they happen (recon_trace).
 *
 * A trace is a process of the kernel that it watches; ending it ends the trace: `self.exit(trace, "shutdown")`.
 * Guarantees: it ends by itself when it has told of `messagesMax` events, when more than `perSecondMax` come in a second,
 * when the tracer ends, and when the tracer's mailbox refuses; the tracer is told why, as its last message. It never
 * slows its subjects by more than one send per event, and not at all once it has ended.
 * Unlike Erlang: no function calls, only what the kernel sees. A process's messages are told when they arrive.
 * Limits: messages that cannot be copied to a tracer in another kernel are described. What the tracer itself does is not
 * told, but what it sends to others that are traced is: limits are there for that.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { describeReason } from "./exit-reason.ts";
import type { Kernel } from "./kernel.ts";
import { isDown } from "./message.ts";
import { observerOf } from "./observer.ts";
import { Pid, type AnyPid, type Ref } from "./pid.ts";
import { Extra, labelOf, type AnyProcess } from "./process.ts";

/** Events that a trace tells of unless told otherwise. */
export const traceMessagesMaxDefault = 1000;
/** Events per second that a trace stands unless told otherwise. */
export const tracePerSecondMaxDefault = 1000;

/** What can happen to a process (`message`, `call`, `reply`, `spawn`, `exit`), or be done by it: `send`, also of a call or reply. */
export const traceKinds = ["message", "call", "reply", "send", "spawn", "exit"] as const;
/** One of `traceKinds`. */
export type TraceKind = (typeof traceKinds)[number];

/** Something that happened to a process. */
export interface TraceEvent {
  readonly kind: TraceKind;
  readonly pid: AnyPid;
  /** What it is called: its name, its label, or its body's name. */
  readonly name: string | undefined;
  /** Who called, answered, was sent to, or spawned it. */
  readonly peer: AnyPid | Ref | string | undefined;
  /** The message, the request, the reply, or for `exit` the reason. */
  readonly message: unknown;
  /** Wall-clock milliseconds. */
  readonly atMs: Milliseconds;
}

/** What a tracer gets for each event. */
export interface TraceMessage {
  readonly type: "trace";
  readonly trace: AnyPid;
  readonly event: TraceEvent;
}

/** The last that a tracer gets. */
export interface TraceEnded {
  readonly type: "traceEnded";
  readonly trace: AnyPid;
  /** Which limit was reached, or what ended the trace. */
  readonly reason: "messagesMax" | "perSecondMax" | "stopped";
}

/** When a trace ends by itself. */
export interface TraceLimits {
  /** Default `traceMessagesMaxDefault`. */
  readonly messagesMax?: number;
  /** Default `tracePerSecondMaxDefault`. */
  readonly perSecondMax?: number;
}

/** What a predicate over processes is given. */
export interface TraceSubject {
  readonly pid: AnyPid;
  readonly name: string | undefined;
  readonly label: string | undefined;
  readonly parent: AnyPid | undefined;
}

/** @internal What one kernel is asked to trace. */
export interface TraceOrder {
  /** Serials of its processes; or a predicate, in the same kernel. */
  readonly of: readonly number[] | ((process: TraceSubject) => boolean);
  readonly kinds: readonly TraceKind[];
  readonly messagesMax: number;
  readonly perSecondMax: number;
  readonly to: AnyPid;
}

/** Starts a trace in `kernel`; the pid is that of the trace. */
export function beginTrace(kernel: Kernel, order: TraceOrder): AnyPid {
  const agent = kernel.attach("trace");
  const trace = new Trace(agent, order);
  const observer = observerOf(kernel);
  observer.addTrace(trace);
  (agent.extra ??= new Extra()).ended = () => {
    trace.stop("stopped");
    observer.removeTrace(trace);
  };
  agent.react((message) => {
    if (isDown(message)) agent.exit("normal");
  });
  agent.monitor(order.to);
  return agent.pid;
}

/** One running trace, as the observer tells it. */
export class Trace {
  readonly #agent: AnyProcess;
  readonly #order: TraceOrder;
  readonly #kinds: ReadonlySet<TraceKind>;
  readonly #serials: ReadonlySet<number> | null;
  #leftCount: number;
  #secondStartMs: Milliseconds = -Infinity;
  #inSecondCount = 0;
  #isOver = false;
  /** What it causes itself by telling is no event. */
  #isTelling = false;

  constructor(agent: AnyProcess, order: TraceOrder) {
    this.#agent = agent;
    this.#order = order;
    this.#kinds = new Set(order.kinds);
    this.#serials = typeof order.of === "function" ? null : new Set(order.of);
    this.#leftCount = order.messagesMax;
  }

  /** Something happened to a process; it may be none that is traced. */
  note(kind: TraceKind, process: AnyProcess, peer: TraceEvent["peer"], message: unknown): void {
    if (this.#isOver || this.#isTelling || !this.#kinds.has(kind) || !this.#wants(process)) return;
    const { clock } = this.#agent.kernel.platform;
    if (!this.#isSlowEnough(clock.monotonicMs())) {
      this.stop("perSecondMax");
      return;
    }
    const name = process.extra?.name ?? labelOf(process);
    this.#tell({ kind, pid: process.pid, name, peer, message, atMs: clock.wallMs() });
    this.#leftCount -= 1;
    if (this.#leftCount <= 0) this.stop("messagesMax");
  }

  /** Tells no more; its process ends. */
  stop(reason: TraceEnded["reason"]): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#send({ type: "traceEnded", trace: this.#agent.pid, reason });
    this.#endAgent();
  }

  #wants(process: AnyProcess): boolean {
    if (process.pid === this.#order.to || process === this.#agent) return false;
    const { of } = this.#order;
    if (typeof of !== "function") return this.#serials?.has(process.pid.serial) === true;
    try {
      const { pid, parent, extra } = process;
      return of({ pid, parent, name: extra?.name, label: labelOf(process) });
    } catch (thrown) {
      this.#agent.kernel.platform.log("error", `a trace ended, its predicate threw: ${describeReason(thrown)}`);
      this.stop("stopped");
      return false;
    }
  }

  #isSlowEnough(nowMs: Milliseconds): boolean {
    if (nowMs - this.#secondStartMs >= 1000) {
      this.#secondStartMs = nowMs;
      this.#inSecondCount = 0;
    }
    this.#inSecondCount += 1;
    return this.#inSecondCount <= this.#order.perSecondMax;
  }

  #tell(event: TraceEvent): void {
    const { kernel, pid } = this.#agent;
    const isHere = this.#order.to.kernelId === kernel.id;
    this.#send({ type: "trace", trace: pid, event: isHere ? event : copyableEvent(kernel, event) });
  }

  #send(message: TraceMessage | TraceEnded): void {
    this.#isTelling = true;
    try {
      this.#agent.kernel.send(this.#order.to, message);
    } catch {
      // A tracer that refuses has no use for more.
      this.#isOver = true;
      this.#endAgent();
    } finally {
      this.#isTelling = false;
    }
  }

  /** Not now: it may be in the middle of something that its end would change. */
  #endAgent(): void {
    const { kernel } = this.#agent;
    kernel.nextTurn(() => kernel.end(this.#agent, "normal"));
  }
}

function copyableEvent(kernel: Kernel, event: TraceEvent): TraceEvent {
  return { ...event, message: copyable(kernel, event.message) };
}

/** The value, or a description of one that cannot leave `kernel`. */
export function copyable(kernel: Kernel, value: unknown): unknown {
  try {
    kernel.encode(value);
    return value;
  } catch (refused) {
    return { tag: "uncopyable", description: describeReason(refused) };
  }
}

/** Whether all are pids of one kernel; its id. @throws Error when they are not. */
export function kernelOf(pids: readonly AnyPid[]): string {
  const [first] = pids;
  if (first === undefined || !pids.every((pid) => pid instanceof Pid && pid.kernelId === first.kernelId)) {
    throw new Error("a trace watches processes of one kernel; start one for each");
  }
  return first.kernelId;
}
