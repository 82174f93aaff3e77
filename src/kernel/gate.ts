/**
 * Gate: where senders wait while what they send to is full. Each mailbox with the policy `block` has one, and so have
 * each such mailbox of another kernel that is known to be full and each channel whose window is used up.
 *
 * `send` is synchronous, so a message that finds no room is taken nevertheless, and its sender is held: what it awaits
 * next (`receive`, `yield`, `wait`, `request`; a server's next message) does not go on before there is room. That is
 * Erlang's busy port, and what its distribution does with a full buffer.
 * Guarantees: senders go on in the order in which they were held, one for each free place, and all of them when the mailbox
 * is empty or its owner ends. A held process can be killed; its end takes its claims back. Two processes of one kernel that
 * hold each other, or more in a circle, cannot come about: who would close the circle is not held. Elsewhere
 * `heldMaxMs` ends the wait.
 * Limits: what a held sender still sends without awaiting anything is at most `overshootMax` messages, then `send` throws
 * `MailboxFullError`. So a mailbox holds at most `messagesMax` and `overshootMax` for each of its senders. A sender
 * that awaits only promises of the host is not held by them. A mailbox's own `heldMaxMs` holds for senders of its kernel;
 * for those of others it is the default.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { Mailbox, MailboxFullError } from "./mailbox.ts";
import { Extra, type AnyProcess } from "./process.ts";
import type { Timer } from "./timer.ts";

/** Messages that one sender may still send to what is full before it awaits something. */
export const overshootMax = 1024;
/** How long a sender is held unless the mailbox says otherwise, in milliseconds. */
export const heldMaxMsDefault: Milliseconds = 60_000;

/** There was no room for longer than the mailbox's `heldMaxMs`, or the `timeoutMs` of `sendWhenRoom`. */
export class HeldTooLongError extends Error {
  /** What was full: a process, or the channel to a kernel. */
  readonly by: string;

  constructor(by: string, heldMs: Milliseconds) {
    super(`held back for ${heldMs} ms, because ${by} is full and takes nothing`);
    this.name = "HeldTooLongError";
    this.by = by;
  }
}

/** What a sender owes a gate. */
interface Claim {
  /** False while holding it would close a circle. */
  holds: boolean;
  /** Messages it sent since. */
  sentCount: number;
}

/** What is known of a gate beside who waits there. */
export interface GateOptions {
  /** Whose mailbox it is; null when that is in another kernel. */
  readonly owner: AnyProcess | null;
  /** What is full, for people. */
  readonly name: () => string;
  readonly heldMaxMs?: Milliseconds | undefined;
  /** Default `overshootMax`. */
  readonly overshootMax?: number;
}

export class Gate {
  readonly owner: AnyProcess | null;
  readonly name: () => string;
  readonly heldMaxMs: Milliseconds;
  readonly #overshootMax: number;
  readonly #claims = new Map<AnyProcess, Claim>();
  /** Other kernels that were told that this is full. */
  #told: Set<() => void> | null = null;

  constructor(options: GateOptions) {
    this.owner = options.owner;
    this.name = options.name;
    this.heldMaxMs = options.heldMaxMs ?? heldMaxMsDefault;
    this.#overshootMax = options.overshootMax ?? overshootMax;
  }

  /** Senders that are held here, or would be if that closed no circle. */
  get claimsCount(): number {
    return this.#claims.size;
  }

  /** Counts a message that finds no room and holds its sender. @throws MailboxFullError: the message is not taken. */
  admit(sender: AnyProcess): void {
    const claim = this.#claims.get(sender) ?? this.claim(sender);
    const limit = this.#overshootMax;
    if (claim.sentCount >= limit) throw new MailboxFullError(this.name(), { overshootMax: limit });
    claim.sentCount += 1;
  }

  /** Holds `sender` until there is room. What it has sent since its first claim stays counted. */
  claim(sender: AnyProcess): Claim {
    const extra = (sender.extra ??= new Extra());
    const held = (extra.held ??= new Held(sender));
    const claim = this.#claims.get(sender) ?? { holds: false, sentCount: 0 };
    this.#claims.set(sender, claim);
    held.gates.add(this);
    if (!claim.holds && !this.#closesCircle(sender)) {
      claim.holds = true;
      held.count += 1;
    }
    return claim;
  }

  /** Whether the owner waits, over others or at once, for `sender`. */
  #closesCircle(sender: AnyProcess): boolean {
    if (this.owner === null) return false;
    const seen = new Set<AnyProcess>([this.owner]);
    for (const process of seen) {
      if (process === sender) return true;
      for (const gate of process.extra?.held?.gates ?? []) {
        if (gate.owner !== null && gate.holds(process)) seen.add(gate.owner);
      }
    }
    return false;
  }

  holds(process: AnyProcess): boolean {
    return this.#claims.get(process)?.holds === true;
  }

  /** Calls `room` once, when there is room again. */
  tell(room: () => void): void {
    (this.#told ??= new Set()).add(room);
  }

  /** There is room for `count` messages. */
  release(count: number): void {
    if (this.#claims.size === 0) return;
    let rest = count;
    for (const sender of this.#claims.keys()) {
      if (rest <= 0) return;
      rest -= 1;
      this.forget(sender);
    }
  }

  /** There is room for many, so other kernels may send again. */
  releaseTold(): void {
    const told = this.#told;
    if (told === null) return;
    this.#told = null;
    for (const room of told) room();
  }

  /** There is room for all. */
  open(): void {
    this.release(Infinity);
    this.releaseTold();
  }

  /** Takes a claim back. */
  forget(sender: AnyProcess): void {
    const claim = this.#claims.get(sender);
    if (claim === undefined) return;
    this.#claims.delete(sender);
    sender.extra?.held?.freed(this, claim.holds);
  }
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** @internal What holds a process, and what of it waits for that. */
export class Held {
  readonly #process: AnyProcess;
  /** With a claim of it. */
  readonly gates: Set<Gate> = new Set();
  /** Gates that do hold it. */
  count = 0;
  #waiters: Waiter[] = [];
  #isParked = false;
  #timer: Timer | null = null;

  constructor(process: AnyProcess) {
    this.#process = process;
  }

  /** Settles when nothing holds the process any more. @throws HeldTooLongError */
  free(timeoutMs?: Milliseconds): Promise<void> {
    this.#startTimer(timeoutMs);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  /** Its reactor gets no message until nothing holds the process any more. */
  park(): void {
    this.#isParked = true;
    this.#startTimer();
  }

  #startTimer(timeoutMs?: Milliseconds): void {
    let heldMs = timeoutMs ?? Infinity;
    if (timeoutMs === undefined) for (const gate of this.gates) heldMs = Math.min(heldMs, gate.heldMaxMs);
    if (this.#timer !== null || heldMs === Infinity) return;
    this.#timer = this.#process.kernel.timers.start(heldMs, () => {
      this.#timer = null;
      this.#expire(heldMs);
    });
  }

  #expire(heldMs: Milliseconds): void {
    const names = [...this.gates].map((gate) => gate.name()).join(" and ");
    const error = new HeldTooLongError(names, heldMs);
    const waiters = this.#waiters;
    const wasParked = this.#isParked;
    this.drop();
    for (const waiter of waiters) waiter.reject(error);
    if (wasParked) this.#process.kernel.end(this.#process, error);
  }

  /** One gate less. */
  freed(gate: Gate, held: boolean): void {
    this.gates.delete(gate);
    if (held) this.count -= 1;
    if (this.count > 0) return;
    const process = this.#process;
    if (this.gates.size === 0 && process.extra?.held === this) process.extra.held = null;
    this.#stopTimer();
    if (process.stage !== "live") return;
    const waiters = this.#waiters;
    const wasParked = this.#isParked;
    this.#waiters = [];
    this.#isParked = false;
    if (waiters.length > 0) process.kernel.resume(process, () => waiters.forEach((waiter) => waiter.resolve()));
    if (wasParked) process.kernel.unpark(process);
  }

  #stopTimer(): void {
    if (this.#timer !== null) this.#process.kernel.timers.cancel(this.#timer);
    this.#timer = null;
  }

  /** Takes all claims back. */
  drop(): void {
    this.#stopTimer();
    this.#waiters = [];
    this.#isParked = false;
    for (const gate of this.gates) gate.forget(this.#process);
  }
}

/** A mailbox with the policy `block`: who takes a message from it lets a sender go on. */
export class BlockingMailbox extends Mailbox {
  readonly #gate: Gate;
  readonly #messagesMax: number;
  /** Messages that there were when room was made last. */
  #roomySize = 0;

  constructor(gate: Gate, messagesMax: number) {
    super();
    this.#gate = gate;
    this.#messagesMax = messagesMax;
  }

  override push(message: unknown): void {
    this.#roomySize = -1;
    super.push(message);
  }

  override shift(): unknown {
    const message = super.shift();
    this.#makeRoom();
    return message;
  }

  override takeAt(position: number): unknown {
    const { size } = this;
    const message = super.takeAt(position);
    // Near the front it is taken with `shift`, which has made room.
    if (this.#roomySize !== size - 1) this.#makeRoom();
    return message;
  }

  #makeRoom(): void {
    const { size } = this;
    this.#roomySize = size;
    if (size === 0) this.#gate.release(Infinity);
    else this.#gate.release(this.#messagesMax - size);
    // Other kernels need longer to hear of it, so they hear of it only when it is worth their while.
    if (size * 2 <= this.#messagesMax) this.#gate.releaseTold();
  }
}
