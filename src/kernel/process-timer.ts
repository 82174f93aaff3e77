/**
 * Process timer: a message that is sent later (OTP erlang:send_after/3, start_timer/3).
 *
 * Guarantees: the message is sent once, not early, also when who started the timer has ended (T9); it is taken back with the
 * end of the process that it is for, as far as that runs in this kernel, and one for a process that has ended is none. Any process may cancel or read a timer by its ref.
 * Unlike Erlang: a timer of another kernel is not found; `Infinity` is a delay.
 * Not here: how time passes (timer.ts), the time-outs of `receive` and of calls.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { assertDuration } from "./argument.ts";
import { describeReason } from "./exit-reason.ts";
import type { Kernel } from "./kernel.ts";
import type { AnyPid, Ref } from "./pid.ts";
import { Extra, type AnyProcess } from "./process.ts";
import type { Timer } from "./timer.ts";

interface Running {
  readonly timer: Timer;
  /** The process of this kernel that gets the message: its end takes the timer back. */
  readonly receiver: AnyProcess | null;
}

/** @internal The timers that processes of one kernel have started. */
export class ProcessTimers {
  readonly #kernel: Kernel;
  readonly #running = new WeakMap<Ref, Running>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  start(owner: AnyProcess, delayMs: Milliseconds, to: AnyPid | string, message: (ref: Ref) => unknown): Ref {
    const kernel = this.#kernel;
    const ref = kernel.newRef(owner);
    assertDuration(delayMs);
    const isHere = typeof to !== "string" && to.kernelId === kernel.id;
    const receiver = isHere ? kernel.processOf(to) : null;
    if (isHere && (receiver === null || receiver.stage === "exiting")) return ref;
    const timer = kernel.timers.start(delayMs, () => {
      this.#forget(ref);
      // A name that nobody has here may be known above.
      const isKnown = typeof to !== "string" || kernel.border.aboveId !== null || kernel.whereis(to) !== undefined;
      if (isKnown) this.#send(to, message(ref));
    });
    if (receiver !== null) ((receiver.extra ??= new Extra()).timers ??= new Set()).add(timer);
    this.#running.set(ref, { timer, receiver });
    return ref;
  }

  /** The remaining milliseconds; false when it has fired or there is none. */
  cancel(ref: Ref): Milliseconds | false {
    const timer = this.#forget(ref);
    return timer === undefined ? false : this.#kernel.timers.cancel(timer);
  }

  /** The remaining milliseconds; false when it has fired or there is none. */
  read(ref: Ref): Milliseconds | false {
    const running = this.#running.get(ref);
    return running === undefined ? false : this.#kernel.timers.remaining(running.timer);
  }

  #forget(ref: Ref): Timer | undefined {
    const running = this.#running.get(ref);
    if (running === undefined) return undefined;
    this.#running.delete(ref);
    running.receiver?.extra?.timers?.delete(running.timer);
    return running.timer;
  }

  /** Who started the timer may be long gone: a refused message has nobody to tell. */
  #send(to: AnyPid | string, message: unknown): void {
    try {
      this.#kernel.send(to, message);
    } catch (refused) {
      this.#kernel.platform.log("warning", `a timer's message to ${to} was refused: ${describeReason(refused)}`);
    }
  }
}
