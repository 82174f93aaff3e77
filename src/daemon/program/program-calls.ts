/**
 * Program calls: asks the program of processes of a run, over the socket that its OS process serves.
 *
 * Guarantees: each question settles within its time. What a person can understand is a sentence.
 * Limits: programs on the carrier os-process that run as the daemon's own user.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import {
  requestOf,
  type ListedProcesses,
  type ProgramAnswer,
  type ProgramQuestion,
} from "../../control/program-call.ts";
import { scriptMark } from "../../platforms/node/call-socket.ts";
import { askLine, LineSocketError } from "../../platforms/node/line-socket.ts";
import type { Home } from "../home.ts";
import { pipeFile } from "../run/run-files.ts";
import type { RunId } from "../run/run.ts";

/** Milliseconds beyond a call's own time, for the way to the program and back. */
export const wayMs = 1_000;
/** Milliseconds within which a program lists its processes, or is left out. */
export const listMs = 200;
/** Milliseconds between two tries of a readiness call that nobody answers. */
export const retryMs = 20;
/** The longest that one try of a readiness call takes, in milliseconds. */
export const tryMs = 5_000;

/** A call that was not answered. The message is a sentence for a person. */
export class ProgramCallError extends Error {
  override readonly name = "ProgramCallError";
  /** It can never be answered. */
  readonly isHopeless: boolean;

  constructor(message: string, isHopeless = false) {
    super(message);
    this.isHopeless = isHopeless;
  }
}

/** Calls the main process of a run; gives its reply. @throws ProgramCallError, or the signal's reason */
export async function callProgram(
  home: Home,
  run: RunId,
  request: unknown,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<unknown> {
  return ask(home, run, { ask: "call", request, timeoutMs }, timeoutMs + wayMs, signal);
}

/** The processes of a run; undefined when it does not say within `listMs`. */
export async function listProgram(home: Home, run: RunId): Promise<ListedProcesses | undefined> {
  try {
    return (await ask(home, run, { ask: "processes" }, listMs)) as ListedProcesses;
  } catch {
    return undefined;
  }
}

/** Calls again and again until the text is answered. @throws ProgramCallError when it never can be, or the signal's reason */
export async function untilAnswered(home: Home, run: RunId, text: string, signal: AbortSignal): Promise<void> {
  const request = requestOf(text);
  for (;;) {
    try {
      await callProgram(home, run, request, tryMs, signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ProgramCallError) || error.isHopeless) throw error;
    }
    await pause(retryMs, undefined, { signal });
  }
}

async function ask(
  home: Home,
  run: RunId,
  question: ProgramQuestion,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<unknown> {
  const path = pipeFile(home, run, "call");
  let answer: ProgramAnswer;
  try {
    answer = (await askLine(path, question, {
      timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    })) as ProgramAnswer;
  } catch (error) {
    if (!(error instanceof LineSocketError)) throw error;
    if (isScript(path)) throw new ProgramCallError("it is a script, not a program of processes", true);
    throw new ProgramCallError(`it does not answer calls: ${error.message}`);
  }
  if ("error" in answer) throw new ProgramCallError(answer.error);
  return answer.reply;
}

function isScript(path: string): boolean {
  try {
    return readFileSync(path, "utf8") === scriptMark;
  } catch {
    return false; // a socket cannot be read
  }
}
