/**
 * Node platform: time, randomness, ids, scheduling, the ownership of stray errors and the log on Node.js 20.19
 * and later, in the main thread and in worker threads.
 *
 * Guarantees: a timer never fires early and may be longer than Node's own limit. A stray error whose owner is
 * known goes to the listeners and to nobody else: neither Node's default nor another `uncaughtException`
 * handler sees it. A stray error without an owner takes Node's own way, to the byte: other handlers, the
 * printed stack, exit code 1. `log` never throws and never ends the OS process.
 * Limits: the clock stands still while the machine is suspended. The owner of an emitter's error is whoever's
 * code emitted it. A line for a full, non-blocking stderr is dropped and counted.
 * Not here: files, sockets, OS processes (carriers and stores); a virtual clock (sim).
 *
 * @module
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import type { LogLevel, Platform, Scheduling, Strays } from "../../base/platform.ts";
import { nodeClock } from "./node-clock.ts";
import { currentOwner, ownerOfRejected, resolved, runAs, watchWork } from "./stray-owner.ts";

/** Characters in an id; 5 random bits each, so 100 bits: no collision among all systems that ever meet. */
export const idLengthChars = 20;
/** The longest log line in characters; the rest of a longer one is cut off. */
export const logLineMaxChars = 8_192;

const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const idPoolBytes = 4_000;
const standardErrorFd = 2;
const levels: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warning: 2, error: 3 };

/** What can be chosen about a Node platform. */
export interface NodePlatformOptions {
  /** The least level that is written; default `warning`. */
  readonly logLevel?: LogLevel;
  /** Takes each log line, without a line end; default: stderr. What it throws is ignored. */
  readonly writeLine?: (line: string) => void;
}

/**
 * The Platform of this Node.js. Cheap; several may live in one OS process. They share the ownership of stray
 * errors: each listener is told of each owned error and must know its own owners.
 */
export function nodePlatform(options: NodePlatformOptions = {}): Platform {
  return {
    clock: nodeClock,
    random: randomSource(),
    id: nextId,
    scheduling: nodeScheduling,
    strays: nodeStrays,
    log: logTo(options.writeLine ?? writeErrorLine, levels[options.logLevel ?? "warning"]),
  };
}

const settled = Promise.resolve();

const nodeScheduling: Scheduling = {
  // Not queueMicrotask: that makes an AsyncResource each time, which costs several times as much on Node 20.
  microtask: (task) => void settled.then(task),
  macrotask: (task) => void setImmediate(task),
};

/** Loaded with the first number or id, because most commands draw none and loading takes them 3 ms. */
function randomFill(values: Uint32Array | Uint8Array): void {
  process.getBuiltinModule("node:crypto").randomFillSync(values);
}

function randomSource(): (stream: string) => number {
  let draw: (() => number) | undefined;
  return () => (draw ??= seeded())();
}

/** sfc32 with a seed from the OS: passes the usual statistical suites, a few nanoseconds per draw. Not for secrets. */
function seeded(): () => number {
  const state = new Uint32Array(4);
  randomFill(state);
  let a = state[0]! | 0;
  let b = state[1]! | 0;
  let c = state[2]! | 0;
  let counter = state[3]! | 0;
  return () => {
    const drawn = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + drawn) | 0;
    return drawn >>> 0;
  };
}

const idPool = new Uint8Array(idPoolBytes);
let idPoolUsedBytes = idPoolBytes;

function nextId(): string {
  if (idPoolUsedBytes + idLengthChars > idPoolBytes) {
    randomFill(idPool);
    idPoolUsedBytes = 0;
  }
  let id = "";
  for (let index = 0; index < idLengthChars; index++) id += idAlphabet[idPool[idPoolUsedBytes++]! & 31]!;
  return id;
}

const strayListeners = new Set<(owner: object, error: unknown) => void>();
type Emit = (event: string | symbol, ...values: unknown[]) => boolean;
let release: (() => void) | undefined;

const nodeStrays: Strays = {
  run: runAs,
  current: currentOwner,
  resolved,
  watch: watchWork,
  listen(listener) {
    // A wrapper, so that the same function can listen twice and each leave on its own.
    const entry = (owner: object, error: unknown): void => listener(owner, error);
    strayListeners.add(entry);
    release ??= intercept();
    return () => {
      if (!strayListeners.delete(entry) || strayListeners.size > 0) return;
      release?.();
      release = undefined;
    };
  },
};

/*
 * Stray errors are taken where Node announces them, in `process.emit`, not by a handler of these events. With a
 * handler, Node's default is gone for every error, owned or not, and has to be imitated (the source line, the
 * origin, --unhandled-rejections, the exit code); and the handlers of others would be told of errors that were
 * dealt with. The emit happens in the asynchronous context of what failed, so the owner is at hand.
 */
function intercept(): () => void {
  const wasOwn = Object.hasOwn(process, "emit");
  const before = process.emit as Emit;
  const emit: Emit = function (this: unknown, event, ...values) {
    return chargeStray(event, values) || Reflect.apply(before, this, [event, ...values]);
  };
  process.emit = emit as typeof process.emit;
  return () => {
    // Somebody who wrapped us keeps calling us; without listeners we only pass on.
    if (process.emit !== (emit as typeof process.emit)) return;
    if (wasOwn) process.emit = before as typeof process.emit;
    else Reflect.deleteProperty(process, "emit");
  };
}

/** True when it is a stray error that has an owner, and somebody was told of it. */
function chargeStray(event: string | symbol, [error, promise]: readonly unknown[]): boolean {
  const isRejection = event === "unhandledRejection";
  if (strayListeners.size === 0 || (!isRejection && event !== "uncaughtException")) return false;
  const owner = isRejection ? ownerOfRejected(promise) : currentOwner();
  if (owner === undefined) return false;
  // Listeners work for the system: what they start must not be charged to the owner.
  runAs(undefined, () => {
    for (const listener of strayListeners) listener(owner, error);
  });
  return true;
}

function logTo(writeLine: (line: string) => void, leastLevel: number): Platform["log"] {
  return (level, message, facts) => {
    if (levels[level] < leastLevel) return;
    try {
      writeLine(logLine(level, message, facts));
    } catch {
      // A log that cannot be written must not become the next failure.
    }
  };
}

function logLine(level: LogLevel, message: string, facts: Readonly<Record<string, unknown>> = {}): string {
  const shown = Object.keys(facts).map((name) => ` ${name}=${factText(facts, name)}`);
  const line = `colos ${level}: ${withoutOwnFrames(message)}${shown.join("")}`.replaceAll(/\s*[\r\n]+\s*/g, " | ");
  return line.length <= logLineMaxChars ? line : `${line.slice(0, logLineMaxChars - 1)}…`;
}

/** Where colos itself stands: what is built, and what a source map makes of it. */
const ownFolders: readonly string[] = ["../../", "../../../src/"].flatMap((path) => {
  const { href } = new URL(path, import.meta.url);
  return [href, fileURLToPath(href)]; // a source map makes paths of URLs
});

/** Whether a place in code, a URL or path, is part of colos. */
export function isOwnPlace(place: string): boolean {
  return ownFolders.some((folder) => place.includes(folder));
}

/** Of a stack the part that is about the program; all of it when there is none. */
function withoutOwnFrames(message: string): string {
  const isFrame = (line: string): boolean => /^\s+at /.test(line);
  const isOwn = (line: string): boolean => isFrame(line) && (line.includes("node:") || isOwnPlace(line));
  const lines = message.split("\n");
  const kept = lines.filter((line) => !isOwn(line));
  return kept.some(isFrame) ? kept.join("\n") : message;
}

function factText(facts: Readonly<Record<string, unknown>>, name: string): string {
  try {
    const value = facts[name];
    if (typeof value === "string" && /^[^\s="]+$/.test(value)) return value;
    return inspect(value, { breakLength: Infinity, compact: true, depth: 3 });
  } catch {
    return "(unreadable)";
  }
}

let droppedLinesCount = 0;

/* Written directly: `process.stderr` reports a closed pipe later, as an error event that ends the OS process, and
 * in a worker thread it waits for the main thread. */
function writeErrorLine(line: string): void {
  const lost = droppedLinesCount === 0 ? "" : `colos warning: ${droppedLinesCount} log lines could not be written\n`;
  let rest = Buffer.from(`${lost}${line}\n`);
  try {
    while (rest.length > 0) rest = rest.subarray(writeSync(standardErrorFd, rest));
    droppedLinesCount = 0;
  } catch {
    droppedLinesCount++;
  }
}
