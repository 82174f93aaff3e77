/**
 * Question: what one kernel asks another about its processes, and how it is answered.
 *
 * A question crosses as the signal `ask` and its answer as the reply to a ref, so the kernels in between need to know
 * nothing of it. Guarantees: each question gets one answer, also when answering fails.
 * Not here: who asks what (introspection.ts).
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { describeReason } from "./exit-reason.ts";
import { ancestorsOf, detailsOf } from "./inspect.ts";
import type { Kernel } from "./kernel.ts";
import { observerOf } from "./observer.ts";
import type { AnyPid } from "./pid.ts";
import { membersOf, topOf, type TopBy } from "./top.ts";
import { beginTrace, type TraceOrder } from "./trace.ts";

/** What can be asked. */
export type Question =
  | { readonly kind: "inspect"; readonly pid: AnyPid; readonly messagesMax: number }
  | { readonly kind: "ancestors"; readonly pid: AnyPid }
  | { readonly kind: "whereis"; readonly name: string }
  | { readonly kind: "top"; readonly count: number; readonly by: TopBy; readonly windowMs: Milliseconds | undefined }
  | { readonly kind: "members"; readonly countMax: number }
  | { readonly kind: "trace"; readonly order: TraceOrder }
  | { readonly kind: "record"; readonly what: "work" | "places"; readonly on: boolean };

/** What a kernel answers. */
export type Answer =
  | {
      readonly ok: true;
      readonly value: unknown;
      /** Ids of the kernels right below it. */
      readonly below: readonly string[];
    }
  | { readonly ok: false; readonly description: string };

/** Answers a question about `kernel`; never rejects. `copies`: the answer leaves the kernel. */
export async function answer(kernel: Kernel, question: Question, copies: boolean): Promise<Answer> {
  try {
    return { ok: true, value: await valueOf(kernel, question, copies), below: kernel.childIds() };
  } catch (thrown) {
    return { ok: false, description: describeReason(thrown) };
  }
}

function valueOf(kernel: Kernel, question: Question, copies: boolean): unknown {
  switch (question.kind) {
    case "inspect": {
      const process = kernel.processOf(question.pid);
      return process === null ? undefined : detailsOf(kernel, process, question.messagesMax, copies);
    }
    case "ancestors": {
      const process = kernel.processOf(question.pid);
      return process === null ? [] : ancestorsOf(process);
    }
    case "whereis":
      return kernel.whereis(question.name);
    case "top":
      return topOf(kernel, question.count, question.by, question.windowMs);
    case "members":
      return membersOf(kernel, question.countMax);
    case "trace":
      return beginTrace(kernel, question.order);
    case "record":
      if (question.what === "work") observerOf(kernel).countWork(question.on);
      else observerOf(kernel).recordPlaces(question.on);
      return undefined;
    default:
      throw new Error("this kernel does not know the question: the two sides run different versions of colos");
  }
}
