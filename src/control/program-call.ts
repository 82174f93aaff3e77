/**
 * Program call: what a daemon asks of a program of processes in its own OS process, and what is answered.
 *
 * @module
 */

/** Milliseconds that a call waits for its reply unless it says more (OTP gen_server:call/2). */
export const callMsDefault = 5_000;
/** Milliseconds that a call may wait for its reply. */
export const callMsMax = 600_000;
/** Processes that one list has. */
export const listedMax = 100;

/** What is asked. */
export type ProgramQuestion =
  | { readonly ask: "call"; readonly request: unknown; readonly timeoutMs: number }
  | { readonly ask: "processes" };

/** What is answered. `error` is a sentence. */
export type ProgramAnswer = { readonly reply: unknown } | { readonly error: string };

/** One process of a program. */
export interface ListedProcess {
  readonly name: string;
  /** `waiting`, `runnable`, `running`, `exiting` */
  readonly status: string;
  readonly messagesCount: number;
}

/** The oldest processes, at most `listedMax`, and how many there are. */
export interface ListedProcesses {
  readonly processes: readonly ListedProcess[];
  readonly processesCount: number;
}

/** What a text asks for: the value when it is JSON, otherwise the text itself. */
export function requestOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
