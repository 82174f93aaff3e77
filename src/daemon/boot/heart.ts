/**
 * Heart: a `/bin/sh` of its own that watches a home's daemon and starts it again, and the daemon's side of it.
 *
 * Guarantees: the heart outlives the daemon. It looks whether the OS process that `home/daemon` names lives (pid, start ticks,
 * boot id), and whether its event loop answers: the heart writes a token into `heart/ask`, the daemon copies it to `heart/answer`.
 * A dead daemon is started again, a silent one is killed first; nobody else is ever killed in its place. A round in which the
 * machine slept, the disk took no token or a debugger held the daemon says nothing. Starts are delayed 0, 1, 2, 4 … s; when
 * `restartsMax` within `windowMs` are used up it goes on every `slowMs`, and says so in `log/heart`. The daemon in turn
 * starts the heart again when it has died. A planned end is told to it first (`rest`). A heart whose home is gone, or is another
 * one at the same path, ends.
 *
 * ```
 * heart/pid          pid, start ticks and boot id of the heart, and what it is
 * heart/script       what it executes; a file, so that `ps` shows a short line
 * heart/start        the shell script that starts a daemon
 * heart/ask, answer  a token, of one length, written in place: no room on the disk is needed
 * heart/rest         `down`: the heart ends; `handover <ms of /proc/uptime>`: nothing is started until then
 * ```
 * Limits: Linux with /proc; `sleep` must take fractions for intervals that are no whole seconds. When no OS process can be
 * started at all (EAGAIN) the heart's shell ends, and only the daemon starts it again.
 * Not here: who calls it and when (daemon entry); what a restarted daemon finds (runs, journal).
 *
 * @module
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { assertWhole } from "../../base/limit.ts";
import type { Clock } from "../../base/platform.ts";
import { heartParameters, heartScript } from "./heart-script.ts";
import type { Home } from "../home.ts";
import { findProcessStat } from "../../os/process-sample.ts";
import { withSpareDescriptor } from "../../os/spare-descriptor.ts";
import { findCgroup } from "../limits/cgroup.ts";
import { identityOfLines, isAlive } from "../os-identity.ts";
import { withAllocator } from "./allocator.ts";
import { ownEnvironment } from "./own-environment.ts";
import type { OsIdentity } from "../run/run.ts";
import { shellQuote } from "../shell-quote.ts";

/** How often the daemon looks for a token. Well below the heart's interval, so that one round is enough. */
export const answerEveryMs = 200;
/** How often the daemon looks whether its heart lives, and so also the least time between two starts of one. */
export const heartCheckEveryMs = 5_000;
/** A token and its padding, in bytes; the heart's line has one more. */
const tokenBytes = 30;

/** All in milliseconds unless the name says else. */
export interface HeartSettings {
  /** One round: the daemon is looked at, and has so long to answer. At least twice `answerEveryMs`. */
  readonly intervalMs: number;
  /** Rounds without an answer, one after the other, until the daemon is killed. */
  readonly triesMax: number;
  /** A new daemon has so long more until its first answer; and one that was started, to write who it is. */
  readonly firstAnswerMs: number;
  /** Starts within `windowMs`; then one every `slowMs`. */
  readonly restartsMax: number;
  readonly windowMs: number;
  readonly slowMs: number;
  /** The longest delay before a start within the window. */
  readonly backoffMaxMs: number;
}

export const heartSettings: HeartSettings = {
  intervalMs: 2_000,
  triesMax: 15,
  firstAnswerMs: 60_000,
  restartsMax: 10,
  windowMs: 600_000,
  slowMs: 300_000,
  backoffMaxMs: 30_000,
};

export interface HeartOptions {
  readonly home: Home;
  readonly clock: Clock;
  /** Starts a daemon of this home in the foreground, with the environment of whoever started the heart. */
  readonly command: readonly [string, ...string[]];
  /** The daemon's working directory. */
  readonly cwd: string;
  readonly settings?: Partial<HeartSettings>;
  /** Takes what a daemon that the heart started writes; default `log/daemon`. */
  readonly output?: string;
  /** Something a person should know: the heart could not be started, or had to be started again. */
  readonly onNote?: (sentence: string) => void;
  /** Nobody would start the daemon again at this moment, and why; undefined: that is over. */
  readonly onTrouble?: (sentence: string | undefined) => void;
}

/** The daemon's hold on its heart. */
export interface Heart {
  /** Who beats now; undefined while there is none, or it has not written who it is. */
  readonly identity: OsIdentity | undefined;
  /**
   * Tells the heart of a planned end; call it as the last thing before the daemon ends. `down`: the heart is ended too. `handOver`: for so
   * long nothing is started; then the heart watches again, so that a new daemon that never came does not stay away.
   */
  rest(how: "down" | { readonly handOverMs: number }): void;
  /** Ends the daemon's side; the heart goes on. */
  close(): void;
}

/**
 * Answers the heart, adopts the one that lives or starts one, and keeps it alive. Call it once `home/daemon` says who this daemon is,
 * and before anything that takes long. @throws Error when the home takes no files
 */
export function keepHeart(options: HeartOptions): Heart {
  return new KeptHeart(options);
}

/** Who beats for a home; undefined when nobody does. */
export function findHeart(home: Home): OsIdentity | undefined {
  const identity = identityOfLines(textOf(placesOf(home).pid));
  return identity !== undefined && isAlive(identity) ? identity : undefined;
}

/** Whether the home's heart lives in another cgroup than this OS process: of another unit, or of another login. */
export function isElsewhere(home: Home): boolean {
  const heart = findHeart(home);
  if (heart === undefined) return false;
  const cgroup = findCgroup(heart.osPid);
  return cgroup !== undefined && cgroup !== findCgroup("self");
}

/** Has the heart start this daemon in place of the last one, which has handed over. Returns what has it start the last one again. */
export function beginByHeart(home: Home, command: HeartOptions["command"]): () => void {
  const { start, rest } = placesOf(home);
  const before = textOf(start);
  replaceSync(start, startScript({ command, cwd: "/" }));
  rmSync(rest, { force: true });
  return () => replaceSync(start, before);
}

/** What the heart of the home has to say. */
export function heartLog(home: Home): string {
  return join(home.log, "heart");
}

class KeptHeart implements Heart {
  readonly #options: HeartOptions;
  readonly #arguments: readonly string[];
  readonly #places: HeartPlaces;
  readonly #stopAnswers: () => void;
  #child: ChildProcess | undefined;
  #cancelCheck: () => void = () => {};
  #isResting = false;
  /** Why it cannot be started. */
  #told: string | undefined;

  constructor(options: HeartOptions) {
    this.#options = options;
    const { home, settings, output } = options;
    this.#places = placesOf(home);
    this.#arguments = heartArguments(home, { ...heartSettings, ...settings }, output ?? join(home.log, "daemon"));
    mkdirSync(this.#places.folder, { recursive: true, mode: 0o700 });
    mkdirSync(home.log, { recursive: true, mode: 0o700 });
    replaceIfOther(this.#places.script, heartScript);
    replaceIfOther(this.#places.start, startScript(options));
    rmSync(this.#places.rest, { force: true });
    this.#stopAnswers = startHeartAnswers(home, options.clock);
    this.#endOlder();
    this.#check(true);
  }

  get identity(): OsIdentity | undefined {
    return findHeart(this.#options.home);
  }

  rest(how: "down" | { readonly handOverMs: number }): void {
    this.#isResting = true;
    this.#cancelCheck();
    const text = how === "down" ? "down\n" : `handover ${uptimeMs() + Math.ceil(how.handOverMs)}\n`;
    try {
      replaceSync(this.#places.rest, text);
    } catch {
      // A full disk. A heart that cannot be told is ended, which is enough for an end; the next daemon starts one.
      this.#kill();
    }
    // Not when it looks next: whoever waits for the end of everything waits for it too.
    if (how === "down") this.#kill();
  }

  close(): void {
    this.#cancelCheck();
    this.#stopAnswers();
  }

  /** A heart of another version, with other settings, or of another unit or login than the daemon's, makes place for this one's. */
  #endOlder(): void {
    const found = textOf(this.#places.pid).split("\n")[3];
    if (found === undefined) return;
    if (found !== this.#arguments.at(-1) || isElsewhere(this.#options.home)) this.#kill();
  }

  #kill(): void {
    const osPid = this.identity?.osPid ?? (this.#isStarting ? this.#child?.pid : undefined);
    if (osPid !== undefined) endHeart(osPid);
    rmSync(this.#places.pid, { force: true });
  }

  #check(isFirst: boolean): void {
    if (this.#isResting) return;
    this.#cancelCheck = this.#options.clock.timer(heartCheckEveryMs, () => this.#check(false));
    if (this.#isStarting || this.identity !== undefined) return this.#trouble(undefined);
    if (!isFirst && this.#told === undefined)
      this.#note("the heart, which starts the daemon again when it dies, has died itself and is started again");
    return this.#start();
  }

  get #isStarting(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  #start(): void {
    let child: ChildProcess;
    try {
      child = spawn("/bin/sh", [this.#places.script, ...this.#arguments], {
        cwd: "/",
        detached: true,
        env: withAllocator(ownEnvironment()),
        stdio: "ignore",
      });
    } catch (error) {
      return this.#cannotStart(error as Error);
    }
    child.on("error", (error) => {
      if (this.#child === child) this.#child = undefined;
      this.#cannotStart(error);
    });
    child.unref();
    this.#child = child;
    return undefined;
  }

  #cannotStart(error: Error): void {
    this.#trouble(
      `the heart, which starts the daemon again when it dies, cannot be started: ${error.message}; ` +
        `it is tried again every ${heartCheckEveryMs} ms`,
    );
  }

  /** Noted once, and again when it is another. */
  #trouble(sentence: string | undefined): void {
    if (sentence === this.#told) return;
    this.#told = sentence;
    if (sentence !== undefined) this.#note(sentence);
    this.#options.onTrouble?.(sentence);
  }

  #note(sentence: string): void {
    this.#options.onNote?.(sentence);
  }
}

function startScript({ command, cwd }: Pick<HeartOptions, "command" | "cwd">): string {
  return `cd ${shellQuote(cwd)} || exit\nexec ${command.map(shellQuote).join(" ")}\n`;
}

/** With the `sleep` that it waits for, which is in its group. */
function endHeart(osPid: number): void {
  // A heart of an earlier version has the daemon that it started in its group.
  const isOurGroup = findProcessStat(process.pid)?.group === osPid;
  try {
    process.kill(isOurGroup ? osPid : -osPid, "SIGKILL");
  } catch {
    // It has ended in between.
  }
}

/**
 * Copies the heart's token to the answer, from this event loop: a daemon that is frozen does not answer. The files stay open, so
 * that a shortage of file descriptors does not silence it. Returns what ends it.
 */
export function startHeartAnswers(home: Home, clock: Clock): () => void {
  const places = placesOf(home);
  mkdirSync(places.folder, { recursive: true, mode: 0o700 });
  let files = openTokens(places);
  let answered = "";
  let cancel = clock.timer(answerEveryMs, look);

  function look(): void {
    cancel = clock.timer(answerEveryMs, look);
    try {
      if (!isSameFile(files.ask, places.ask) || !isSameFile(files.answer, places.answer)) {
        const old = files;
        files = openTokens(places);
        closeTokens(old);
      }
      const token = readToken(files.ask);
      if (token === "" || token === answered) return;
      writeSync(files.answer, `${token.padEnd(tokenBytes)}\n`, 0);
      answered = token;
    } catch {
      // The disk fails; the next look is soon, and the heart has many tries.
    }
  }

  return () => {
    cancel();
    closeTokens(files);
  };
}

interface HeartPlaces {
  readonly folder: string;
  readonly pid: string;
  readonly script: string;
  readonly start: string;
  readonly ask: string;
  readonly answer: string;
  readonly rest: string;
}

function placesOf({ root }: Home): HeartPlaces {
  const folder = join(root, "heart");
  const at = (name: string): string => join(folder, name);
  return {
    folder,
    pid: at("pid"),
    script: at("script"),
    start: at("start"),
    ask: at("ask"),
    answer: at("answer"),
    rest: at("rest"),
  };
}

function heartArguments(home: Home, settings: HeartSettings, output: string): readonly string[] {
  assertWhole("intervalMs", settings.intervalMs, 2 * answerEveryMs);
  const values = { ...settings, output };
  const given = heartParameters.slice(0, -1).map((name) => String(values[name as keyof typeof values]));
  const version = createHash("sha256")
    .update(JSON.stringify([heartScript, given]))
    .digest("hex")
    .slice(0, 16);
  return [home.root, ...given, version];
}

interface Tokens {
  readonly ask: number;
  readonly answer: number;
}

function openTokens({ ask, answer }: HeartPlaces): Tokens {
  const askFile = openInPlace(ask);
  try {
    return { ask: askFile, answer: openInPlace(answer) };
  } catch (error) {
    closeSync(askFile);
    throw error;
  }
}

/** The file has its length from the beginning, so that what is written later needs no room. */
function openInPlace(path: string): number {
  const file = openSync(path, "a+", 0o600);
  try {
    if (fstatSync(file).size < tokenBytes) writeSync(file, `${" ".repeat(tokenBytes)}\n`);
  } finally {
    closeSync(file);
  }
  return openSync(path, "r+");
}

function closeTokens({ ask, answer }: Tokens): void {
  closeSync(ask);
  closeSync(answer);
}

function isSameFile(file: number, path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(file).ino;
}

function readToken(file: number): string {
  const buffer = Buffer.alloc(tokenBytes);
  return buffer.toString("latin1", 0, readSync(file, buffer, 0, tokenBytes, 0)).trim();
}

/** Not written again for nothing: the disk may be full. */
function replaceIfOther(path: string, text: string): void {
  if (textOf(path) !== text) replaceSync(path, text);
}

function replaceSync(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function textOf(path: string): string {
  try {
    return withSpareDescriptor(() => readFileSync(path, "utf8"));
  } catch {
    return "";
  }
}

/** Milliseconds since boot, as the heart counts them. */
function uptimeMs(): number {
  const text = withSpareDescriptor(() => readFileSync("/proc/uptime", "utf8"));
  return Math.round(Number(text.split(" ")[0]) * 1_000);
}
