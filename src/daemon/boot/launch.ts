/**
 * Launch: starts a daemon for a home as an OS process of its own, and waits until it answers.
 *
 * Guarantees: settles when the control API answers, or says why it does not, with what the daemon said last. The daemon outlives
 * whoever started it, and has nothing that was meant for that one alone (own-environment.ts). When another daemon was faster, that
 * one counts; when that one was about to end, it is tried again.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ManagerError } from "../../control/manager.ts";
import { FolderError, makeFolder } from "../folders.ts";
import type { Home } from "../home.ts";
import { identityOfLines, isAlive } from "../os-identity.ts";
import { withAllocator } from "./allocator.ts";
import { beginByHeart, heartLog } from "./heart.ts";
import { ownEnvironment } from "./own-environment.ts";

/** How long a daemon may take until it answers, in milliseconds. */
export const launchTimeoutMs = 30_000;
/** Milliseconds between two looks. */
export const launchLookMs = 10;
/** How long another daemon, which has the home, may take until it answers, in milliseconds. */
export const otherDaemonMs = 5_000;
/** The exit code of a daemon that cannot be in this home. */
export const refusedCode = 5;
/** What a sentence repeats of the daemon's log, in bytes. */
const saidMaxBytes = 4_096;

/** The daemon's own log. */
export function daemonLog(home: Home): string {
  return join(home.log, "daemon");
}

/** Starts `command` as the daemon of `home`. @throws ManagerError `refused` for a home that takes no daemon, else Error, with a sentence */
export async function launchDaemon(home: Home, command: readonly [string, ...string[]]): Promise<void> {
  const deadlineMs = performance.now() + launchTimeoutMs;
  while (!(await isLaunched(home, command, deadlineMs)));
}

/** False: another daemon had the home, and has it no more. */
async function isLaunched(home: Home, command: readonly [string, ...string[]], deadlineMs: number): Promise<boolean> {
  const file = daemonLog(home);
  let wasHeld = isHeld(home);
  const log = openLog(home);
  const from = fstatSync(log).size;
  const [executable, ...args] = command;
  const stdio = ["ignore", log, log] as const;
  const daemon = spawn(executable, args, {
    cwd: "/",
    detached: true,
    env: withAllocator(ownEnvironment()),
    stdio: [...stdio],
  });
  closeSync(log);
  let problem: string | undefined;
  let refusedAtMs: number | undefined;
  daemon.once("error", (error) => (problem = `it could not be started: ${error.message}`));
  daemon.once("exit", (code, signal) => {
    if (code === refusedCode) refusedAtMs = performance.now();
    else problem ??= signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`;
  });
  const answer = await awaitAnswer(home, from, deadlineMs, () => {
    if (refusedAtMs === undefined) return problem;
    const isStillHeld = isHeld(home);
    if (wasHeld && !isStillHeld) return isFree;
    wasHeld = isStillHeld;
    // The one that was faster answers in a moment.
    const patienceMs = isStillHeld ? otherDaemonMs : 0;
    if (performance.now() > refusedAtMs + patienceMs) throw new ManagerError("refused", refusal(file, from));
    return problem;
  });
  daemon.unref();
  return answer !== isFree;
}

/** Another daemon had the home, and has it no more. */
const isFree: unique symbol = Symbol("is free");

/**
 * Has the heart of `home` start `command` as its daemon: where the last one was, which has handed over and ended. When it does not come, the
 * heart goes on with what started the last one. @throws Error with a sentence
 */
export async function launchByHeart(home: Home, command: readonly [string, ...string[]]): Promise<void> {
  const from = sizeOf(daemonLog(home));
  const heartFrom = sizeOf(heartLog(home));
  const undo = beginByHeart(home, command);
  try {
    await awaitAnswer(home, from, performance.now() + launchTimeoutMs, () => {
      const heartSaid = readFrom(heartLog(home), heartFrom);
      const status = /has ended with exit status (\d+)/.exec(heartSaid)?.[1];
      return status === undefined ? undefined : `it ended with exit code ${status}`;
    });
  } catch (error) {
    undo();
    throw error;
  }
}

/** @param problem why it will never answer @throws Error with a sentence, and what `problem` throws */
async function awaitAnswer(
  home: Home,
  from: number,
  deadlineMs: number,
  problem: () => string | typeof isFree | undefined,
): Promise<typeof isFree | undefined> {
  while (!(await answers(home.controlSocket))) {
    const isLate = performance.now() > deadlineMs;
    const why = problem() ?? (isLate ? `it did not answer within ${launchTimeoutMs} ms` : undefined);
    if (why === isFree) return isFree;
    if (why !== undefined)
      throw new Error(`the daemon of ${home.root} did not start: ${why}${said(daemonLog(home), from)}`);
    await pause(launchLookMs);
  }
  return undefined;
}

/** @throws ManagerError `refused` */
function openLog(home: Home): number {
  try {
    makeFolder(home.log);
    return openSync(daemonLog(home), "a", 0o600);
  } catch (error) {
    if (error instanceof FolderError) throw new ManagerError("refused", error.message);
    const { code, message } = error as NodeJS.ErrnoException;
    const isForbidden = code === "EACCES" || code === "EPERM" || code === "EROFS";
    if (!isForbidden) throw error;
    throw new ManagerError("refused", `you may not write into ${home.root}: ${message}`);
  }
}

/** Whether a daemon of the home lives. */
function isHeld(home: Home): boolean {
  try {
    const holder = identityOfLines(readFileSync(home.lock, "utf8"));
    return holder !== undefined && isAlive(holder);
  } catch {
    return false;
  }
}

/** What the daemon said last, which is why it refused. */
function refusal(file: string, from: number): string {
  const line = readFrom(file, from).trim().split("\n").at(-1) ?? "";
  return line.replace(/^colos: /, "") || "the daemon refused to start and did not say why";
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function readFrom(file: string, from: number): string {
  return sizeOf(file) <= from ? "" : readFileSync(file).subarray(from).subarray(-saidMaxBytes).toString("utf8");
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function said(file: string, from: number): string {
  const text = readFrom(file, from).trim();
  return text === ""
    ? ""
    : `\n${text
        .split("\n")
        .map((line) => `  | ${line}`)
        .join("\n")}`;
}
