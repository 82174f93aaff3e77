/**
 * Run end: how a run in the foreground ended, for people and as an exit code.
 *
 * @module
 */
import { constants } from "node:os";
import { isTagged, type ExitReason } from "../../kernel/exit-reason.ts";
import { reasonText } from "../reason-text.ts";
import type { Instance } from "./instance.ts";

type OsExit = NonNullable<Instance["osExit"]>;

/** For people: why a run is over. */
export function describeEnd(reason: ExitReason, { notReady, plan: { carrier } }: Instance): string {
  if (notReady !== undefined) return notReady;
  if (reason !== "normal") return reasonText(reason);
  return carrier === "command" || carrier === "os-process" ? "exit code 0" : "it returned";
}

/** The same with what comes next. */
export function withDelay(reason: string | undefined, delayMs: number): string {
  const when = `restarts in ${delayMs} ms`;
  return reason === undefined ? when : `${reason}; ${when}`;
}

/** How a thread ended, in the words of an OS process. */
export function osExitOf(reason: ExitReason): OsExit | undefined {
  if (isTagged(reason, "exitStatus")) return { code: Number(reason["code"]), signal: null };
  return reason === "normal" ? { code: 0, signal: null } : undefined;
}

/** What a shell gives for it. */
export function shellExitCode({ code, signal }: OsExit): number {
  return signal === null ? (code ?? 1) : 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
}
