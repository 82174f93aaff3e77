/**
 * Program: a small system of processes as plain data, and the trace that a run of it leaves.
 *
 * A program has up to six processes. Role 0 is started by the observer; every other role is started by at most one
 * `spawn`, so a role names a process. A process knows the roles that its parent knew when it was spawned, itself, and those
 * it spawns or is introduced to; an instruction about anybody else does nothing and says `unknown`.
 * An instruction runs once and leaves one observation, so the position of an instruction names the message that it
 * sends, the monitor that it makes, the timer that it starts.
 *
 * @module
 */

/** A process of the program: 0 is the first. */
export type Role = number;

/** `normal`, `kill`, `killed`, `noproc`, any other word, or `tagged:N` for a tagged one. */
export type Reason = string;

/** What a `receive` takes: any message at all, any that was sent with this tag, exits, downs, what `startTimer` sends. */
export type Match = "any" | "a" | "b" | "exit" | "down" | "timeout";

/** The tag of a sent message. */
export type Tag = "a" | "b";

/** A name that processes register; each program has names of its own. */
export type Name = "x" | "y";

/** One thing that a process does. */
export type Instruction =
  | { readonly op: "spawn"; readonly role: Role; readonly how: "spawn" | "link" | "monitor" }
  /** Sends the pid of `who` to `to`. */
  | { readonly op: "introduce"; readonly who: Role; readonly to: Role }
  /** Waits until it is introduced to `who`, unless it knows it. */
  | { readonly op: "await"; readonly who: Role }
  | { readonly op: "send"; readonly to: Role; readonly tag: Tag }
  | { readonly op: "sendName"; readonly name: Name; readonly tag: Tag }
  /** `timeoutMs` null waits for ever. */
  | { readonly op: "receive"; readonly match: Match; readonly timeoutMs: number | null }
  | { readonly op: "link"; readonly to: Role }
  | { readonly op: "unlink"; readonly to: Role }
  | { readonly op: "monitor"; readonly to: Role }
  | { readonly op: "monitorName"; readonly name: Name }
  /** `monitor` is the position of the instruction that made it. */
  | { readonly op: "demonitor"; readonly monitor: number; readonly flush: boolean }
  | { readonly op: "exit"; readonly to: Role; readonly reason: Reason }
  /** Ends this process, as an uncaught exit does. */
  | { readonly op: "exitSelf"; readonly reason: Reason }
  | { readonly op: "trapExit"; readonly on: boolean }
  | { readonly op: "register"; readonly name: Name; readonly who: Role }
  | { readonly op: "unregister"; readonly name: Name }
  | { readonly op: "whereis"; readonly name: Name }
  | { readonly op: "isAlive"; readonly who: Role }
  | { readonly op: "sendAfter"; readonly delayMs: number; readonly to: Role; readonly tag: Tag }
  | { readonly op: "sendAfterName"; readonly delayMs: number; readonly name: Name; readonly tag: Tag }
  | { readonly op: "startTimer"; readonly delayMs: number; readonly to: Role; readonly tag: Tag }
  /** `timer` is the position of the instruction that started it. */
  | { readonly op: "cancelTimer"; readonly timer: number }
  /** Lets time pass without taking messages. */
  | { readonly op: "pause"; readonly durationMs: number }
  /** Waits for ever without taking messages. */
  | { readonly op: "park" };

/** What each role does; a process whose instructions are done ends with `normal`. */
export type Program = readonly (readonly Instruction[])[];

/** A message as its receiver saw it. `from` and `at` name the instruction that sent it. */
export type Message =
  | readonly ["message", from: Role, at: number, tag: Tag]
  | readonly ["timeout", from: Role, at: number, tag: Tag]
  | readonly ["introduced", from: Role, at: number, who: Role]
  | readonly ["exit", from: Role, reason: Reason]
  /** `at` is the position of the monitor in the receiver. */
  | readonly ["down", at: number, of: Role | Name, reason: Reason];

/**
 * What an instruction gave: a message, a pid, or a word: `ok`, `true`, `false`, `timeout` (nothing came in time), `unknown`,
 * `undefined`, `badarg`, `noproc`. Anything else, such as `early` for a timer that fired before its time, is no
 * legal observation.
 */
export type Observation = string | Message | readonly ["pid", Role];

/** How a process was found when nothing happened any more. */
export type End =
  /** `unknown` when it had ended before the observer could watch it. */
  | { readonly kind: "ended"; readonly reason: Reason }
  /** It waits for ever; `rest` is what lies in its mailbox. */
  | { readonly kind: "waiting"; readonly rest: readonly Message[] };

/** What one process observed, one entry per instruction that it got to. */
export interface ProcessTrace {
  readonly observed: readonly Observation[];
  readonly end: End;
}

/** One entry per role; null for a process that never began to run. */
export type Trace = readonly (ProcessTrace | null)[];

/** The longest delay or timeout that a program may have, in milliseconds. */
export const delayMaxMs = 4;
/** Processes of one program. */
export const rolesMax = 6;

/** A trace as text, one line per process. */
export function describeTrace(trace: Trace): string {
  return trace.map((process, role) => `  ${role}: ${JSON.stringify(process)}`).join("\n");
}

/** A program as text that can be pasted back, one instruction per line. */
export function describeProgram(program: Program): string {
  const bodies = program.map(
    (body, role) => `  // ${role}\n  [\n${body.map((line) => `    ${JSON.stringify(line)},\n`).join("")}  ],\n`,
  );
  return `[\n${bodies.join("")}]`;
}
