/**
 * Signal text: a delivered signal as a line of the story, in the words that a user wrote: the method that was called, what
 * was cast, what a process that starts says.
 *
 * @module
 */
import { describeReason } from "../kernel/exit-reason.ts";
import type { AnyPid } from "../kernel/pid.ts";
import { shown } from "../kernel/reason-sentences.ts";
import { castType, isInvocation, type CastMessage } from "../server/invocation.ts";
import type { SeenSignal } from "./property.ts";

/** Characters of a message or reply that a line shows. */
export const bodyCharactersMax = 160;

/** What the receiver of `signal` sees, as the rest of a sentence that begins with it; undefined when it says nothing new. */
export function describeSignal(
  { kind, from, to, body }: Omit<SeenSignal, "atMs">,
  titleOf: (pid: AnyPid) => string,
): string | undefined {
  const of = from === undefined ? "" : ` of ${titleOf(from)}`;
  switch (kind) {
    case "message":
      return isCast(body) ? `gets cast: ${textOf(body.message)}` : `gets message: ${textOf(body)}`;
    case "request":
      return `gets request${of}: ${textOf(body)}`;
    case "reply":
      return isReady(body)
        ? `learns that ${from === undefined ? "it" : titleOf(from)} is ready`
        : `gets reply${of}${body === undefined ? "" : `: ${textOf(body)}`}`;
    default:
      // A process that a fault ends is told so already.
      return from === to ? undefined : `gets ${kind}${of}: ${describeReason(body)}`;
  }
}

function isCast(body: unknown): body is CastMessage {
  return (body as { readonly type?: unknown } | null | undefined)?.type === castType;
}

function isReady(body: unknown): boolean {
  return (
    (body as { readonly ready?: unknown } | null | undefined)?.ready === true &&
    Object.keys(body as object).length === 1
  );
}

function textOf(body: unknown): string {
  if (isInvocation(body))
    return `${body.method}(${body.args.map((each) => shown(each, bodyCharactersMax)).join(", ")})`;
  return shown(body, bodyCharactersMax);
}
