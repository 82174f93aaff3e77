/**
 * Readiness: waits until a service can be used, by the check that its plan declares.
 *
 * Guarantees: `awaitReady` settles once, within the plan's time. When it has settled, for whatever reason, no
 * socket, timer, log subscription or OS process of it is left; a command's whole process group is killed. The
 * error is one sentence with what the check saw last.
 * Limits: a check runs in this OS process's network namespace and as its user. A command that moves to another
 * process group escapes. A process group that SIGKILL does not end within `killWaitMs` is left to the kernel.
 * Not here: what happens then (services), whether a ready service stays healthy.
 *
 * @module
 */
import { spawn, type ChildProcess } from "node:child_process";
import type { IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import type { ReadyPlan } from "../control/config.ts";
import { groupMembers } from "../os/process-sample.ts";

export { assertPortFree, PortInUseError, portHolder, type PortHolder } from "../os/port-holder.ts";

/** Milliseconds between the first two tries of a repeated check. */
export const firstIntervalMs = 20;
/** Milliseconds between two tries of a repeated check at most; each wait is half as long again as the one before. */
export const intervalMaxMs = 250;
/** How long one TCP connection may take to be accepted, in milliseconds. */
export const connectMaxMs = 1_000;
/** How long one GET may take to the answer's head, in milliseconds. */
export const responseMaxMs = 5_000;
/** How long a killed command may take to end, in milliseconds. */
export const killWaitMs = 1_000;
/** Milliseconds between two looks whether a killed command has ended. */
export const killPollMs = 5;
/** How long a command's stderr may stay open after its end, held by somebody else, in milliseconds. */
export const errorOutputWaitMs = 100;
/** The longest part of a log line or of a command's stderr that a message quotes, in characters. */
export const quoteMaxChars = 160;

/** The longest delay of Node's timers in milliseconds, 24 days; a longer one would fire at once. */
const hostTimerMaxMs = 2 ** 31 - 1;

/** What a check needs to know of the service. */
export interface ReadySubject {
  /** Calls `listener` for each line the service writes on stdout or stderr, without line end; returns how to stop. */
  onLine(listener: (text: string) => void): () => void;
  /** The whole environment of a command. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute; where a command runs. */
  readonly cwd: string;
}

/** A service was not ready in time, or its check can never pass. The message is a sentence for a person. */
export class NotReadyError extends Error {
  override readonly name = "NotReadyError";
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
  let last = check.before;
  const late = (): void => end.abort(new NotReadyError(`${check.failed} within ${plan.timeoutMs} ms (last: ${last})`));
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

interface Check {
  /** What did not happen: the beginning of the error's sentence. */
  readonly failed: string;
  /** What was seen before anything was seen. */
  readonly before: string;
  /** Settles when the check has passed, can never pass, or `end` is aborted and everything is cleaned up. */
  run(end: AbortSignal, see: (cause: string) => void): Promise<void>;
}

function checkOf(plan: Exclude<ReadyPlan, { kind: "none" }>, subject: ReadySubject): Check {
  switch (plan.kind) {
    case "port":
      return portCheck(plan.port, plan.host);
    case "http":
      return httpCheck(plan.url);
    case "log":
      return logCheck(plan.pattern, subject);
    case "exec":
      return execCheck(plan.command, subject);
    default:
      throw new NotReadyError(`the readiness check ${plan.kind} needs the daemon`);
  }
}

/** Tries until `attempt` resolves; an attempt that ends in NotReadyError is the last. */
async function repeat(attempt: () => Promise<void>, end: AbortSignal, see: (cause: string) => void): Promise<void> {
  for (let intervalMs = firstIntervalMs; ; intervalMs = Math.min(intervalMs * 1.5, intervalMaxMs)) {
    try {
      return await attempt();
    } catch (error) {
      if (end.aborted || error instanceof NotReadyError) throw error;
      see(causeText(error));
    }
    await pause(intervalMs, undefined, { signal: end });
  }
}

function causeText(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}

function portCheck(port: number, host: string): Check {
  return {
    failed: `port ${port} on ${host} did not accept a connection`,
    before: "no answer",
    run: (end, see) => repeat(() => connectOnce(port, host, end), end, see),
  };
}

/** Settles when the socket is closed. */
function connectOnce(port: number, host: string, end: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host });
    const stop = (): unknown => socket.destroy();
    let problem: Error | undefined = new Error(`no answer within ${connectMaxMs} ms`);
    end.addEventListener("abort", stop);
    socket.setTimeout(connectMaxMs, stop);
    socket.on("error", (error) => (problem = error));
    socket.once("connect", () => {
      problem = isSelfConnection(socket) ? new Error("ECONNREFUSED") : undefined;
      socket.destroy();
    });
    socket.once("close", () => {
      end.removeEventListener("abort", stop);
      if (problem === undefined) resolve();
      else reject(problem);
    });
  });
}

/**
 * Whether a socket is connected to itself. TCP allows it: who keeps trying a free local port gets, once in some
 * thousand tries, just that port as its own, and would take itself for the service.
 */
export function isSelfConnection(socket: Socket): boolean {
  return socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress;
}

function httpCheck(url: string): Check {
  return {
    failed: `GET ${url} was not answered with a status from 200 to 399`,
    before: "no answer",
    run: (end, see) => repeat(() => getOnce(url, end), end, see),
  };
}

/** Settles when the connection is closed. */
async function getOnce(url: string, end: AbortSignal): Promise<void> {
  if (!URL.canParse(url) || !/^https?:/i.test(url))
    throw new NotReadyError(`the readiness check ${url} is not an http or https URL`);
  const { request } = /^https:/i.test(url) ? await import("node:https") : await import("node:http");
  end.throwIfAborted();
  const outcome = await new Promise<number | Error>((resolve) => {
    const sent = request(url, { agent: false, headers: { connection: "close", "user-agent": "colos" } });
    const stop = (): unknown => sent.destroy();
    let seen: number | Error | undefined;
    const see = (first: number | Error): void => void (seen ??= first);
    const timer = setTimeout(() => {
      see(new Error(`no answer within ${responseMaxMs} ms`));
      stop();
    }, responseMaxMs);
    end.addEventListener("abort", stop);
    sent.on("error", see);
    sent.once("response", ({ statusCode = 0 }: IncomingMessage) => {
      see(statusCode);
      stop();
    });
    sent.once("close", () => {
      clearTimeout(timer);
      end.removeEventListener("abort", stop);
      resolve(seen ?? new Error("no answer"));
    });
    sent.end();
  });
  if (outcome instanceof Error) throw outcome;
  if (outcome < 200 || outcome > 399) throw new Error(`status ${outcome}`);
}

function logCheck(pattern: string, subject: ReadySubject): Check {
  const expression = parseExpression(pattern);
  return {
    failed: `no line of the log ${expression === undefined ? `contained ${JSON.stringify(pattern)}` : `matched ${pattern}`}`,
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
        leave = subject.onLine((line) => {
          const text = stripVTControlCharacters(line);
          if (settled) return;
          if (expression?.test(text) ?? text.includes(pattern)) settle(resolve);
          else see(JSON.stringify(quote(text)));
        });
        if (settled) leave(); // a line came while we subscribed
      }),
  };
}

/** The expression in `/expression/flags`; undefined for a plain text. Throws NotReadyError for a broken one. */
function parseExpression(pattern: string): RegExp | undefined {
  const [, source, flags] = /^\/(.+)\/([dgimsuvy]*)$/s.exec(pattern) ?? [];
  if (source === undefined) return undefined;
  try {
    return new RegExp(source, flags!.replaceAll(/[gy]/g, "")); // these two make a match depend on the one before
  } catch (error) {
    throw new NotReadyError(`the readiness check ${pattern} is not a regular expression: ${causeText(error)}`);
  }
}

function quote(text: string): string {
  return text.length <= quoteMaxChars ? text : `${text.slice(0, quoteMaxChars - 1)}…`;
}

type Command = readonly [string, ...string[]];

function execCheck(command: Command, subject: ReadySubject): Check {
  return {
    failed: `the command ${command.join(" ")} did not exit with 0`,
    before: "it was still running",
    run: (end, see) => repeat(() => execOnce(command, subject, end), end, see),
  };
}

/** Settles when the command has ended and its process group is killed. */
async function execOnce([file, ...args]: Command, subject: ReadySubject, end: AbortSignal): Promise<void> {
  const child = spawn(file, args, {
    cwd: subject.cwd,
    env: subject.env,
    detached: true, // a process group of its own, to be killed as a whole
    stdio: ["ignore", "ignore", "pipe"],
  });
  const lastLine = lastLineOf(child);
  const exit = await exitOf(child, end).catch((error: NodeJS.ErrnoException) => {
    throw startProblem(file, subject, error);
  });
  await endGroup(child); // what it started and left behind
  const said = await lastLine();
  if (exit !== "exit code 0") throw new Error(said === "" ? exit : `${exit}: ${said}`);
}

/** How `child` ended; it is killed when `end` is aborted. Rejects when it could not be started. */
function exitOf(child: ChildProcess, end: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let giveUp: NodeJS.Timeout | undefined;
    const stop = (): void => {
      killGroup(child);
      giveUp = setTimeout(resolve, killWaitMs, "it does not end");
    };
    const settled = (): void => {
      clearTimeout(giveUp);
      end.removeEventListener("abort", stop);
    };
    end.addEventListener("abort", stop);
    child.once("error", (error) => {
      settled();
      reject(error);
    });
    child.once("exit", (code, osSignal) => {
      settled();
      resolve(osSignal === null ? `exit code ${code}` : `killed by ${osSignal}`);
    });
  });
}

function startProblem(file: string, { cwd }: ReadySubject, error: NodeJS.ErrnoException): Error {
  const isLasting = error.code === "ENOENT" || error.code === "EACCES" || error.code === "ENOTDIR";
  return isLasting
    ? new NotReadyError(`the readiness command ${file} cannot be started in ${cwd}: ${error.code}`)
    : error;
}

/** False when nobody was left to kill. */
function killGroup({ pid }: ChildProcess): boolean {
  try {
    return pid !== undefined && process.kill(-pid, "SIGKILL");
  } catch {
    return false;
  }
}

/** Kills the group and waits until nobody lives in it: SIGKILL takes effect a moment after it was sent. */
async function endGroup(child: ChildProcess): Promise<void> {
  if (!killGroup(child)) return;
  const giveUpMs = performance.now() + killWaitMs;
  while (groupMembers(child.pid!).length > 0 && performance.now() < giveUpMs) await pause(killPollMs);
}

/** Collects stderr; the answer waits for its end, but not for somebody else who holds it open. */
function lastLineOf(child: ChildProcess): () => Promise<string> {
  const stderr = child.stderr as Readable | undefined; // absent when file descriptors ran out
  let text = "";
  stderr?.setEncoding("utf8").on("data", (part: string) => (text = (text + part).slice(-2 * quoteMaxChars)));
  const closed = new Promise<void>((resolve) => void stderr?.once("close", resolve));
  return async () => {
    const timer = setTimeout(() => stderr?.destroy(), errorOutputWaitMs);
    await closed;
    clearTimeout(timer);
    return quote(stripVTControlCharacters(text).trim().split("\n").at(-1)!.trim());
  };
}
