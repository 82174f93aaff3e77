/**
 * Readiness: waits until a service can be used, by the check that its plan declares.
 *
 * Guarantees: `awaitReady` settles once, within the plan's time. When it has settled, for whatever reason, no
 * socket, timer, log subscription or OS process of it is left; a command's whole process group is killed. The
 * error is one sentence with what the check saw last.
 * Not here: one look (probe.ts), how a service's own word comes here (the caller's `signalled`), what happens then
 * (services), whether a ready service stays healthy (live.ts).
 *
 * @module
 */
import { setTimeout as pause } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import type { ProbePlan, ReadyPlan } from "../../control/config.ts";
import { hostTimerMaxMs, quote } from "../bounded-command.ts";
import { noReadyLine, readyExpression } from "./ready-line.ts";
import { ProbeError, probeFailure, probeOnce, type ProbeSubject } from "./probe.ts";

export { assertPortFree, PortInUseError, portHolder, type PortHolder } from "../../os/port-holder.ts";

/** How long a run without a readiness check must have run before it counts as ready, in milliseconds. */
export const survivalMs = 300;
/** Milliseconds between the first two tries of a check that is one connection: a standby is ready after a few. */
export const firstIntervalMs = 4;
/** The same for a command, which costs as much as the start of an OS process. */
export const firstCommandIntervalMs = 20;
/** Milliseconds between two tries of a repeated check at most; each wait is half as long again as the one before. */
export const intervalMaxMs = 250;
/** How long one TCP connection may take to be accepted, in milliseconds. */
export const connectMaxMs = 1_000;
/** How long one GET may take to the answer's head, in milliseconds. */
export const responseMaxMs = 5_000;

/** What a check needs to know of the service. */
export interface ReadySubject extends ProbeSubject {
  /**
   * Calls `listener` for each line the service writes on stdout or stderr, without line end; returns how to stop. Absent: who reads
   * its lines says by `signalled` that one of them was it.
   */
  readonly onLine?: (listener: (text: string) => void) => () => void;
  /**
   * Settles when the service itself said that it is ready: for the kinds `fd`, `notify` and `call`, which somebody else has to
   * listen for. A rejection ends the wait, its message is the reason. Absent: these kinds cannot be waited for here.
   */
  readonly signalled?: Promise<void>;
}

/** A service was not ready in time, or its check can never pass. The message is a sentence for a person. */
export class NotReadyError extends Error {
  override readonly name = "NotReadyError";
  /** What was seen last was colos itself being short of something; the service is not to blame. */
  readonly isOwnTrouble: boolean;

  /** It may still have become ready; otherwise its check can never pass. */
  readonly isLate: boolean;

  constructor(
    message: string,
    { isOwnTrouble = false, isLate = false }: { readonly isOwnTrouble?: boolean; readonly isLate?: boolean } = {},
  ) {
    super(message);
    this.isOwnTrouble = isOwnTrouble;
    this.isLate = isLate;
  }
}

/**
 * Resolves when the check of `plan` has passed, at once when there is none.
 * Rejects with NotReadyError after the plan's `timeoutMs` or when the check can never pass, and with the
 * signal's reason when that is aborted.
 */
export async function awaitReady(plan: ReadyPlan, subject: ReadySubject, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (plan.kind === "none") return;
  const check = checkOf(plan, subject);
  const end = new AbortController();
  let last: Sight | undefined;
  const late = (): void => end.abort(lateError(check, plan.timeoutMs, last));
  const aborted = (): void => end.abort(signal.reason);
  const timer = setTimeout(late, Math.min(plan.timeoutMs, hostTimerMaxMs));
  signal.addEventListener("abort", aborted);
  try {
    await check.run(end.signal, (cause) => (last = cause));
    end.signal.throwIfAborted();
  } catch (error) {
    throw end.signal.aborted ? end.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", aborted);
  }
}

/** What a check saw last. */
interface Sight {
  readonly text: string;
  readonly isOwnTrouble: boolean;
}

interface Check {
  /** What did not happen: the beginning of the error's sentence. */
  readonly failed: string;
  /** What was seen before anything was seen; absent when nothing is ever seen but that it passed. */
  readonly before?: string;
  /** Settles when the check has passed, can never pass, or `end` is aborted and everything is cleaned up. */
  run(end: AbortSignal, see: (last: Sight) => void): Promise<void>;
}

function lateError({ failed, before }: Check, timeoutMs: number, last: Sight | undefined): NotReadyError {
  const seen = last?.text ?? before;
  const lastClause = seen === undefined ? "" : ` (last: ${seen})`;
  const isOwnTrouble = last?.isOwnTrouble === true;
  return new NotReadyError(`${failed} within ${timeoutMs} ms${lastClause}`, { isOwnTrouble, isLate: true });
}

function checkOf(plan: Exclude<ReadyPlan, { kind: "none" }>, subject: ReadySubject): Check {
  switch (plan.kind) {
    case "port":
      return repeatedProbe({ ...plan, timeoutMs: connectMaxMs }, "no answer", subject);
    case "http":
      return repeatedProbe({ ...plan, timeoutMs: responseMaxMs }, "no answer", subject);
    case "exec":
      // One run may take as long as the whole wait.
      return repeatedProbe({ ...plan, timeoutMs: hostTimerMaxMs }, "it was still running", subject);
    case "log":
      return logCheck(plan.pattern, subject);
    case "fd":
      return signalledCheck(`it did not write a line to file descriptor ${plan.fd}`, plan.kind, subject);
    case "notify":
      return signalledCheck("it did not send READY=1 to the socket in NOTIFY_SOCKET", plan.kind, subject);
    case "call":
      return signalledCheck(`it did not answer the call ${JSON.stringify(plan.request)}`, plan.kind, subject);
  }
}

/** Looks until a look passes or can never pass. */
function repeatedProbe(plan: ProbePlan, before: string, subject: ReadySubject): Check {
  return {
    failed: probeFailure(plan),
    before,
    run: async (end, see) => {
      const firstMs = plan.kind === "exec" ? firstCommandIntervalMs : firstIntervalMs;
      for (let intervalMs = firstMs; ; intervalMs = Math.min(intervalMs * 1.5, intervalMaxMs)) {
        try {
          return await probeOnce(plan, subject, end);
        } catch (error) {
          if (!(error instanceof ProbeError)) throw error;
          if (error.isHopeless) throw new NotReadyError(`the readiness ${error.message}`);
          see({ text: error.message, isOwnTrouble: error.isOwnTrouble });
        }
        await pause(intervalMs, undefined, { signal: end });
      }
    },
  };
}

/** Waits for the service's own word. */
function signalledCheck(failed: string, kind: string, { signalled }: ReadySubject): Check {
  if (signalled === undefined) throw new NotReadyError(`the readiness check ${kind} needs the daemon`);
  return {
    failed,
    run: (end) =>
      new Promise((resolve, reject) => {
        const stopped = (): void => reject(end.reason as Error);
        end.addEventListener("abort", stopped);
        const leave = (): void => end.removeEventListener("abort", stopped);
        signalled.finally(leave).then(resolve, (error: Error) => reject(new NotReadyError(error.message)));
      }),
  };
}

/** Where somebody else reads its lines, they say whether one of them was it. */
function logCheck(pattern: string, subject: ReadySubject): Check {
  const { failed, expression } = parseExpression(pattern);
  const { onLine } = subject;
  if (onLine === undefined) return signalledCheck(failed, "log", subject);
  return {
    failed,
    before: "nothing was written",
    run: (end, see) =>
      new Promise((resolve, reject) => {
        const stopped = (): void => settle(() => reject(end.reason as Error));
        let leave = (): void => undefined;
        let settled = false;
        const settle = (settleWith: () => void): void => {
          settled = true;
          leave();
          end.removeEventListener("abort", stopped);
          settleWith();
        };
        end.addEventListener("abort", stopped);
        leave = onLine((line) => {
          const text = stripVTControlCharacters(line);
          if (settled) return;
          if (expression?.test(text) ?? text.includes(pattern)) settle(resolve);
          else see({ text: JSON.stringify(quote(text)), isOwnTrouble: false });
        });
        if (settled) leave(); // a line came while we subscribed
      }),
  };
}

/** Throws NotReadyError for a broken expression. */
function parseExpression(pattern: string): { readonly failed: string; readonly expression: RegExp | undefined } {
  try {
    return { failed: noReadyLine(pattern), expression: readyExpression(pattern) };
  } catch (error) {
    throw new NotReadyError(`the readiness check ${pattern} is not a regular expression: ${(error as Error).message}`);
  }
}
