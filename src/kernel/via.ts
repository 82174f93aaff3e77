/**
 * Via: starting a process under a key that somebody else than the kernel gives out, OTP's `{via, Module, Name}`.
 *
 * Guarantees: the key is the process's before anything the process does can be seen, or the start fails with
 * `{ tag: "alreadyStarted", pid }` and nothing was started.
 * Not here: who gives out keys (server/registry.ts).
 *
 * @module
 */
import type { AnyPid, Pid } from "./pid.ts";
import type { AnyProcess, StartOptions } from "./process.ts";
import type { Program } from "./program.ts";

/** A key at somebody who gives out keys. */
export interface Via {
  /**
   * Reserves the key until the claim is used, released, or `self` ends.
   * @throws StartError `{ tag: "alreadyStarted", pid }` when a process has it.
   */
  claim(self: AnyProcess): Promise<Claim>;
}

/** A reserved key. The first of both counts. */
export interface Claim {
  /** Gives the key to a process. */
  assign(pid: AnyPid): void;
  /** Gives it back. */
  release(): void;
}

/** @internal See `StartOptions.via`. */
export async function startVia<M, A extends readonly unknown[]>(
  self: AnyProcess,
  via: Via,
  program: Program<M, A>,
  options: StartOptions<A>,
): Promise<Pid<M>> {
  const claim = await via.claim(self);
  const onSpawn = (pid: AnyPid): void => {
    claim.assign(pid);
    options.onSpawn?.(pid);
  };
  try {
    return await self.kernel.start(self, program, { ...options, onSpawn });
  } catch (thrown) {
    if (self.stage === "live") claim.release();
    throw thrown;
  }
}
