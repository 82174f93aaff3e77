/**
 * Launch: starts a daemon for a home as an OS process of its own, and waits until it answers.
 *
 * Guarantees: settles when the control API answers, or says why it does not, with what the daemon said last. The daemon outlives
 * whoever started it. When another daemon was faster, that one counts.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Home } from "./home.ts";

/** How long a daemon may take until it answers, in milliseconds. */
export const launchTimeoutMs = 30_000;
/** Milliseconds between two looks. */
export const launchLookMs = 10;
/** What a sentence repeats of the daemon's log, in bytes. */
const saidMaxBytes = 4_096;

/** The daemon's own log. */
export function daemonLog(home: Home): string {
  return join(home.log, "daemon");
}

/** Starts `command` as the daemon of `home`. @throws Error with a sentence */
export async function launchDaemon(home: Home, command: readonly [string, ...string[]]): Promise<void> {
  mkdirSync(dirname(home.root), { recursive: true });
  mkdirSync(home.log, { recursive: true, mode: 0o700 });
  const file = daemonLog(home);
  const log = openSync(file, "a", 0o600);
  const from = statSync(file).size;
  const [executable, ...args] = command;
  // Meant for a person's programs, which get it with their environment. NODE_EXTRA_CA_CERTS stays: https checks may need it.
  const { NODE_OPTIONS: _, ...env } = process.env;
  const daemon = spawn(executable, args, { cwd: "/", env, detached: true, stdio: ["ignore", log, log] });
  closeSync(log);
  let problem: string | undefined;
  daemon.once("error", (error) => (problem = `it could not be started: ${error.message}`));
  daemon.once(
    "exit",
    (code, signal) => (problem ??= signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`),
  );
  const deadline = performance.now() + launchTimeoutMs;
  while (!(await answers(home.controlSocket))) {
    if (problem === undefined && performance.now() > deadline)
      problem = `it did not answer within ${launchTimeoutMs} ms`;
    if (problem !== undefined)
      throw new Error(`the daemon of ${home.root} did not start: ${problem}${said(file, from)}`);
    await pause(launchLookMs);
  }
  daemon.unref();
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

function said(file: string, from: number): string {
  const text = readFileSync(file).subarray(from).subarray(-saidMaxBytes).toString("utf8").trim();
  return text === ""
    ? ""
    : `\n${text
        .split("\n")
        .map((line) => `  | ${line}`)
        .join("\n")}`;
}
