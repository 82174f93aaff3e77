/**
 * Carrier: what executes a process. The contract of coroutine, thread, os-process and command.
 *
 * Guarantees, proved by one suite for all four (`testing/carrier-contract.ts`): `start` gives a pid at once and never
 * blocks; send, link, monitor, exit reason, name and kill mean the same; order is kept per pair of processes; the loss
 * of a carrier gives every process on it exactly one exit; a value that cannot be copied fails in the sender.
 * Shared code never asks which carrier it has; it asks a property that the carrier declares.
 *
 * @module
 */
import type { Kernel, Starter, StartRequest } from "../kernel/kernel.ts";
import type { AnyPid } from "../kernel/pid.ts";

/** The carriers colos has. */
export type CarrierName = "coroutine" | "thread" | "os-process" | "command";

export interface Carrier extends Starter {
  readonly name: CarrierName;
  /** `kill` ends a process that never yields, such as an endless loop. */
  readonly preemptible: boolean;
  /** Messages are copies: changing the original afterwards is not seen by the receiver (K2). */
  readonly copies: boolean;
  /** Exit reasons: `any` value, or only what an OS process can say (exit code and OS signal). */
  readonly reasons: "any" | "os";

  /**
   * Starts `request.program` and returns its pid at once. What goes wrong later (no such file, does not compile) is the
   * process's exit reason and fails the `start` of whoever waits for `ready`.
   * @throws UncopyableError when `request.options.args` cannot be copied; Error when this carrier cannot run such a
   * program at all. Nothing is started then.
   */
  start(kernel: Kernel, request: StartRequest): AnyPid;
}

/** What carriers need of the host to run a program file: where its loadable form is. */
export interface ProgramLoader {
  /** The URL to import for `url`: the file itself or its bundle. Rejects with a sentence that names file and line. */
  resolve(url: string): Promise<string>;
}
