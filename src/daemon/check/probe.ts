/**
 * Probe: one look at a service from outside: does its port accept, does its URL answer, does a command exit with 0.
 *
 * Guarantees: `probeOnce` settles once, within the plan's `timeoutMs` and what ending a command takes. When it has settled, no
 * socket, timer or OS process of it is left.
 * Limits: a look happens in this OS process's network namespace and as its user.
 * Not here: how often one looks, and what follows (readiness.ts, live.ts).
 *
 * @module
 */
import type { IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import type { ProbePlan } from "../../control/config.ts";
import { hostTimerMaxMs, runCommand, type Command } from "../bounded-command.ts";
import { isOwnTrouble, shortageSaid } from "../own-trouble.ts";

/** What a look needs to know of the service. */
export interface ProbeSubject {
  /** The whole environment of a command. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute; where a command runs. */
  readonly cwd: string;
}

/** A look saw something else than what was wanted. The message is what it saw, such as `ECONNREFUSED` or `status 500`. */
export class ProbeError extends Error {
  override readonly name = "ProbeError";
  /** No later look can be better: `command x cannot be started in /y: ENOENT`. */
  readonly isHopeless: boolean;
  /** colos itself is short of something (file descriptors, OS processes, memory): it says nothing about the service. */
  readonly isOwnTrouble: boolean;

  constructor(message: string, kind?: "hopeless" | "own trouble") {
    super(message);
    this.isHopeless = kind === "hopeless";
    this.isOwnTrouble = kind === "own trouble";
  }
}

/** Settles when what the plan wants was seen, within its `timeoutMs`. @throws ProbeError, or the signal's reason */
export async function probeOnce(plan: ProbePlan, subject: ProbeSubject, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  try {
    switch (plan.kind) {
      case "port":
        return await connectOnce(plan.port, plan.host, plan.timeoutMs, signal);
      case "http":
        return await getOnce(plan.url, plan.timeoutMs, signal);
      case "exec":
        return await execOnce(plan.command, plan.timeoutMs, subject, signal);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof ProbeError ? error : seen(error as NodeJS.ErrnoException);
  }
}

/** What did not happen when a look of this plan fails: the beginning of a sentence. */
export function probeFailure(plan: ProbePlan): string {
  switch (plan.kind) {
    case "port":
      return `port ${plan.port} on ${plan.host} did not accept a connection`;
    case "http":
      return `GET ${plan.url} was not answered with a status from 200 to 399`;
    case "exec":
      return `the command ${plan.command.join(" ")} did not exit with 0`;
  }
}

/**
 * Whether a socket is connected to itself. TCP allows it: who keeps trying a free local port gets, once in some
 * thousand tries, just that port as its own, and would take itself for the service.
 */
export function isSelfConnection(socket: Socket): boolean {
  return socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress;
}

function seen(error: NodeJS.ErrnoException): ProbeError {
  const { code, message } = error;
  return new ProbeError(code ?? message, isOwnTrouble(code) ? "own trouble" : undefined);
}

/** Settles when the socket is closed. */
function connectOnce(port: number, host: string, timeoutMs: number, end: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host });
    const stop = (): unknown => socket.destroy();
    let problem: Error | undefined = new Error(`no answer within ${timeoutMs} ms`);
    end.addEventListener("abort", stop);
    socket.setTimeout(Math.min(timeoutMs, hostTimerMaxMs), stop);
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

/** Settles when the connection is closed. */
async function getOnce(url: string, timeoutMs: number, end: AbortSignal): Promise<void> {
  if (!URL.canParse(url) || !/^https?:/i.test(url))
    throw new ProbeError(`check ${url} is not an http or https URL`, "hopeless");
  const { request } = /^https:/i.test(url) ? await import("node:https") : await import("node:http");
  end.throwIfAborted();
  const outcome = await new Promise<number | Error>((resolve) => {
    const sent = request(url, { agent: false, headers: { connection: "close", "user-agent": "colos" } });
    const stop = (): unknown => sent.destroy();
    let seen: number | Error | undefined;
    const see = (first: number | Error): void => void (seen ??= first);
    const late = (): void => {
      see(new Error(`no answer within ${timeoutMs} ms`));
      stop();
    };
    const timer = setTimeout(late, Math.min(timeoutMs, hostTimerMaxMs));
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

async function execOnce(
  command: Command,
  timeoutMs: number,
  subject: ProbeSubject,
  signal: AbortSignal,
): Promise<void> {
  const { cwd, env } = subject;
  const end = await runCommand(command, { cwd, env, signal, timeoutMs }).catch((error: NodeJS.ErrnoException) => {
    const isLasting = error.code === "ENOENT" || error.code === "EACCES" || error.code === "ENOTDIR";
    throw isLasting
      ? new ProbeError(`command ${command[0]} cannot be started in ${cwd}: ${error.code}`, "hopeless")
      : error;
  });
  if (end.isOk) return;
  const { how, lastWords } = end;
  // A command that could not fork has not looked at the service either.
  const isShort = shortageSaid(lastWords) !== undefined;
  throw new ProbeError(lastWords === "" ? how : `${how}: ${lastWords}`, isShort ? "own trouble" : undefined);
}
