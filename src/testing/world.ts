/**
 * World: a kernel on a virtual platform and a process that stands for the test, with the few things that tests of
 * processes say again and again.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import type { ExitReason } from "../kernel/exit-reason.ts";
import { Kernel, type KernelOptions } from "../kernel/kernel.ts";
import { isDown } from "../kernel/message.ts";
import type { AnyPid, Pid } from "../kernel/pid.ts";
import { timedOut, type AnyProcess, type Process } from "../kernel/process.ts";
import { VirtualPlatform, type VirtualPlatformOptions } from "./virtual-platform.ts";

export class World {
  readonly platform: VirtualPlatform;
  readonly kernel: Kernel;
  /** The test itself. It does not trap exits unless told to. */
  readonly self: Process<unknown>;

  constructor(options: KernelOptions & VirtualPlatformOptions & { readonly platform?: VirtualPlatform } = {}) {
    this.platform = options.platform ?? new VirtualPlatform(options);
    this.kernel = new Kernel(this.platform, options);
    this.self = this.kernel.attach("test");
  }

  /** Lets run what can run now. */
  settle(): Promise<void> {
    return this.platform.settle();
  }

  /** Moves time, firing what becomes due on the way. */
  advance(durationMs: Milliseconds): Promise<void> {
    return this.platform.advance(durationMs);
  }

  /** The next message to the test; fails the test when there is none once everything has run. */
  async next(): Promise<unknown> {
    await this.settle();
    const message = await this.self.receive(undefined, { timeoutMs: 0 });
    if (message === timedOut) throw new Error("no message came");
    return message;
  }

  /** All messages to the test that are there once everything has run. */
  async all(): Promise<unknown[]> {
    await this.settle();
    const messages: unknown[] = [];
    for (;;) {
      const message = await this.self.receive(undefined, { timeoutMs: 0 });
      if (message === timedOut) return messages;
      messages.push(message);
    }
  }

  /** Waits until `pid` has ended and gives the reason; `noproc` when it had ended before. */
  async reasonOf(pid: AnyPid): Promise<ExitReason> {
    const ref = this.self.monitor(pid);
    const down = await this.self.receive((message) => isDown(message, ref));
    return (down as { reason: ExitReason }).reason;
  }

  /** A process that has ended. */
  async deadPid(): Promise<Pid<unknown>> {
    const pid = this.self.spawn(() => {});
    await this.reasonOf(pid);
    return pid as Pid<unknown>;
  }
}

/** A promise and what settles it. */
export function deferred<T = void>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let settle: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return { promise, resolve: settle };
}

/** Waits for the message `stop`, leaving all others in its mailbox. */
export async function idle(self: AnyProcess): Promise<void> {
  await self.receive((message: unknown) => message === "stop");
}

/** Sends on whatever it gets, as `[its pid, message]`. */
export function forwarder(to: AnyPid): (self: AnyProcess) => Promise<void> {
  return async (self) => {
    for (;;) self.send(to as Pid<unknown>, [self.pid, await self.receive()]);
  };
}

/** A forwarder that traps exits. */
export function trapper(to: AnyPid): (self: AnyProcess) => Promise<void> {
  return (self) => {
    self.trapExit(true);
    return forwarder(to)(self);
  };
}
