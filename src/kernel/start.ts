/**
 * Start: spawning a process and waiting until it says that it is ready (OTP's proc_lib).
 *
 * The starter waits for an answer to a ref, as for a reply, and monitors who is started, so one that ends first gives its
 * reason. Guarantees: what failed to start has ended or is killed when the starter learns of it, and it says so once.
 * Unlike OTP: it works the same for programs on other carriers; their kernel acknowledges through the channel.
 * Not here: starting under a key (via.ts), what servers do before they are ready (server/server.ts).
 *
 * @module
 */
import { assertDuration } from "./argument.ts";
import { uncopyable } from "./border.ts";
import { describeReason, Exit, type ExitReason } from "./exit-reason.ts";
import type { Kernel } from "./kernel.ts";
import { nameTaken } from "./names.ts";
import type { AnyPid, Pid } from "./pid.ts";
import { StartError, type AnyProcess, type StartOptions } from "./process.ts";
import type { Program } from "./program.ts";
import { PendingReply, startDeadline } from "./request.ts";
import { UncopyableError } from "./wire.ts";

/** What a starting process tells its starter. */
export type Acknowledgement = { readonly ready: true } | { readonly ready: false; readonly reason: ExitReason };

/** @internal See `Process.start`. */
export async function start<M, A extends readonly unknown[]>(
  kernel: Kernel,
  self: AnyProcess,
  program: Program<M, A>,
  options: StartOptions<A>,
): Promise<Pid<M>> {
  const { timeoutMs = Infinity } = options;
  assertDuration(timeoutMs);
  const holder = options.name === undefined ? undefined : kernel.whereis(options.name);
  if (holder !== undefined) {
    throw new StartError({ tag: "alreadyStarted", pid: holder }, nameTaken(options.name as string, holder));
  }
  const ref = kernel.newRef(self);
  const outcome = new Promise<unknown>((resolve, reject) => {
    ref.pending = new PendingReply(self, resolve, (reason) => reject(new Exit(reason)));
  });
  ref.route = "reply";
  let pid: Pid<M>;
  try {
    pid = kernel.spawnFrom(self, program, options, options.link ?? true, ref, ref);
  } catch (refused) {
    kernel.border.release(ref);
    throw refused;
  }
  options.onSpawn?.(pid as AnyPid);
  startDeadline(kernel, ref, timeoutMs);
  let reason: ExitReason;
  try {
    const acknowledgement = (await outcome) as Acknowledgement;
    if (acknowledgement.ready) return pid;
    reason = acknowledgement.reason;
  } catch (failed) {
    reason = failed instanceof Exit ? failed.reason : failed;
    if (reason === "timeout") {
      if (self.stage === "live") kernel.unlink(self, pid);
      kernel.exit(self.pid, pid, "kill");
    }
  }
  throw new StartError(
    reason,
    `${options.name ?? options.label ?? String(pid)} did not start: ${describeReason(reason)}`,
  );
}

/** @internal Tells whoever waits for the start of `process`; later ones are not heard. */
export function acknowledge(kernel: Kernel, process: AnyProcess, acknowledgement: Acknowledgement): void {
  const starter = process.extra?.starter ?? null;
  if (starter === null || process.extra === null) return;
  process.extra.starter = null;
  try {
    kernel.send(starter, acknowledgement);
  } catch (refused) {
    if (acknowledgement.ready || !(refused instanceof UncopyableError)) throw refused;
    kernel.send(starter, { ready: false, reason: uncopyable(acknowledgement.reason) });
  }
}
