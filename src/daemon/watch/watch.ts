/**
 * Watch: tells when files change, once they have been quiet for a while.
 *
 * The OS only says where to look: each hint leads to a scan after the quiet time, and what differs between two scans has
 * changed. So an editor that replaces a file by renaming, a folder that is removed and made again, a path that does not exist
 * yet and a symlink that leads elsewhere are all the same thing. Node's own recursive watch is not used: on Linux it opens a
 * watch for each file and misses what is made in a new folder before that is watched.
 *
 * Guarantees: a change after `ready` is told at the latest `postponeMaxMs` (or the quiet time, if that is longer) after it, also
 * while changes go on. Changes of mode, owner and access time, and what is ignored, are not told. After `stop` nothing is told.
 * Limits: `foldersMax` folders, `filesMax` files. Where the OS gives no watches (inotify's limits), or more folders are to be
 * watched, it looks every `pollEveryMs` instead and says so once. A network file system tells nothing of what other machines do.
 * Not here: the restart (the manager's core).
 *
 * @module
 */
import { watch as watchHost } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import type { Clock } from "../../base/platform.ts";
import type { ServicePlan } from "../../control/config.ts";
import {
  changesBetween,
  digestOf,
  filesMax,
  scanPaths,
  type Ignore,
  type Scan,
  type ScannedFolder,
} from "./watch-scan.ts";

/** Folders that are watched through the OS; inotify's own limit is often 8192 for all that a user runs. */
export const foldersMax = 4_096;
/** Milliseconds between two scans where the OS does not tell of changes. */
export const pollEveryMs = 2_000;
/** How long changes that go on may put off the news, in milliseconds. */
export const postponeMaxMs = 5_000;
/** Paths that one piece of news names at most. */
export const pathsToldMax = 100;
/** A file modified so shortly before a scan may change again without another time stamp, in milliseconds. */
export const racyWindowMs = 100;

/** Passed over wherever they are: what tools write there is no change of the program. */
const alwaysIgnored = ["node_modules", ".git"];

/** Tells of changes in one folder, not below it; returns how to stop. May throw the OS's error. */
export type WatchFolder = (
  folder: string,
  onHint: (name: string | null) => void,
  onError: (error: NodeJS.ErrnoException) => void,
) => () => void;

export interface WatchOptions {
  readonly clock: Clock;
  /** Absolute paths that came, went or changed; at least one, at most `pathsToldMax`. `digest`: of what is there now (watch-scan.ts). */
  onChange(paths: readonly string[], digest: string | undefined): void;
  /** What there is at first; not called when not all is seen. */
  onBegin?(digest: string): void;
  /** Something is watched in another way than usual, or not at all: one sentence. */
  onNotice?(sentence: string): void;
  /** The home of colos, which is never watched. */
  readonly home?: string;
  /** Default: the OS's. */
  readonly watchFolder?: WatchFolder;
  /** Default: `foldersMax` and `filesMax`. */
  readonly most?: { readonly folders: number; readonly files: number };
}

/** A watch that has begun. */
export interface Watching {
  /** Settles when the first scan is done; changes count from then on. */
  readonly ready: Promise<void>;
  stop(): void;
}

/** Watches the paths of a plan. */
export function watchPaths(plan: NonNullable<ServicePlan["watch"]>, options: WatchOptions): Watching {
  const watcher = new PathWatcher(plan, options);
  return { ready: watcher.begin(), stop: () => watcher.stop() };
}

/** What a plan's `ignore` and the fixed rules pass over. A pattern with `/` is for the path from a watched folder on. */
export function ignoreOf(roots: readonly string[], patterns: readonly string[], home?: string): Ignore {
  const expressions = [...alwaysIgnored, ...patterns].map((pattern) => ({
    isPath: pattern.slice(0, -1).includes("/"),
    expression: expressionOf(pattern),
  }));
  const isInHome = (path: string): boolean => home !== undefined && (path === home || path.startsWith(home + sep));
  return (path) => {
    const names = [basename(path)];
    const paths = roots.filter((root) => path.startsWith(root + sep)).map((root) => relative(root, path));
    return (
      isInHome(path) ||
      expressions.some(({ isPath, expression }) => (isPath ? paths : names).some((text) => expression.test(text)))
    );
  };
}

/** `*` stands for anything in one name, `**` for anything. */
function expressionOf(pattern: string): RegExp {
  const words = pattern
    .replace(/^\.?\//, "")
    .replace(/\/$/, "")
    .split(/(\*+)/);
  const source = words.map((word) =>
    word === "*" ? "[^/]*" : /^\*+$/.test(word) ? ".*" : word.replaceAll(/[$()+.?[\\\]^{|}]/g, "\\$&"),
  );
  return new RegExp(`^${source.join("")}$`, "s");
}

class PathWatcher {
  readonly #paths: readonly string[];
  readonly #delayMs: number;
  readonly #options: WatchOptions;
  readonly #isIgnored: Ignore;
  readonly #most: { readonly folders: number; readonly files: number };
  readonly #watches: Map<string, { readonly inode: number; readonly stop: () => void }> = new Map();
  #scan: Scan | undefined;
  /** Wall time before the last scan began. */
  #scanAt = 0;
  /** Files that the OS named since the last scan began. */
  #hinted: Set<string> = new Set();
  /** Monotonic time of the first hint that no scan has followed. */
  #hintedSinceMs: number | undefined;
  #cancelTimer: () => void = () => undefined;
  #isScanning = false;
  #isPolling = false;
  #isCutTold = false;
  #isStopped = false;

  constructor({ paths, ignore, delayMs }: NonNullable<ServicePlan["watch"]>, options: WatchOptions) {
    this.#paths = paths;
    this.#delayMs = delayMs;
    this.#options = options;
    this.#most = options.most ?? { folders: foldersMax, files: filesMax };
    this.#isIgnored = ignoreOf(paths, ignore, options.home);
  }

  async begin(): Promise<void> {
    await this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer();
    this.#closeWatches();
  }

  #hint(path: string | undefined): void {
    if (this.#isStopped) return;
    if (path !== undefined) this.#hinted.add(path);
    const nowMs = this.#options.clock.monotonicMs();
    this.#hintedSinceMs ??= nowMs;
    if (this.#isScanning || this.#isPolling) return; // a look comes anyway
    const latestMs = this.#hintedSinceMs + Math.max(postponeMaxMs, this.#delayMs);
    this.#lookIn(Math.max(0, Math.min(this.#delayMs, latestMs - nowMs)));
  }

  #lookIn(delayMs: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.timer(delayMs, () => void this.#look());
  }

  /** Scans until there is no new folder, in which something may have happened before it was watched. */
  async #look(): Promise<void> {
    this.#isScanning = true;
    this.#hintedSinceMs = undefined;
    const changes = new Set<string>();
    let isShort = false;
    try {
      do {
        for (const path of await this.#compare()) changes.add(path);
      } while (this.#scan !== undefined && this.#watchAll(this.#scan));
    } catch {
      isShort = true; // of file descriptors or memory; what was hinted is looked at later
    }
    this.#isScanning = false;
    if (this.#isStopped) return;
    if (this.#isPolling || isShort) this.#lookIn(pollEveryMs);
    else if (this.#hintedSinceMs !== undefined) this.#lookIn(Math.max(this.#delayMs, racyWindowMs));
    if (changes.size > 0)
      this.#options.onChange([...changes].slice(0, pathsToldMax), this.#scan && digestOf(this.#scan));
  }

  /** What differs from the last scan. */
  async #compare(): Promise<string[]> {
    const hinted = this.#hinted;
    this.#hinted = new Set();
    const startedAt = this.#options.clock.wallMs();
    const after = await scanPaths(this.#paths, this.#isIgnored, this.#most.files);
    const before = this.#scan;
    const isRacy = (path: string): boolean => (before?.files.get(path)?.modifiedMs ?? 0) >= this.#scanAt - racyWindowMs;
    const doubtful = new Set([...hinted].filter(isRacy));
    this.#scan = after;
    this.#scanAt = startedAt;
    this.#tellCut(after);
    const digest = before === undefined && !this.#isStopped ? digestOf(after) : undefined;
    if (digest !== undefined) this.#options.onBegin?.(digest);
    return before === undefined ? [] : changesBetween(before, after, doubtful);
  }

  #tellCut({ isCut }: Scan): void {
    if (isCut && !this.#isCutTold)
      this.#options.onNotice?.(
        `more than ${this.#most.files} files are to be watched, the rest is not seen; narrow watch.paths or add to watch.ignore`,
      );
    this.#isCutTold = isCut;
  }

  /** True when a folder is watched that was not before. */
  #watchAll({ folders }: Scan): boolean {
    if (this.#isPolling || this.#isStopped) return false;
    for (const [path, { inode, stop }] of this.#watches) {
      if (folders.get(path)?.inode === inode) continue;
      stop();
      this.#watches.delete(path);
    }
    if (folders.size > this.#most.folders) {
      this.#poll(`more than ${this.#most.folders} folders are to be watched`);
      return false;
    }
    const fresh = [...folders].filter(([path]) => !this.#watches.has(path));
    for (const [path, folder] of fresh) if (!this.#isPolling) this.#watch(path, folder);
    return fresh.length > 0 && !this.#isPolling;
  }

  #watch(folder: string, { inode }: ScannedFolder): void {
    const { watchFolder = watchThroughHost } = this.#options;
    try {
      const stop = watchFolder(
        folder,
        (name) => this.#hintIn(folder, name),
        (error) => this.#lost(folder, error),
      );
      this.#watches.set(folder, { inode, stop });
    } catch (error) {
      this.#lost(folder, error as NodeJS.ErrnoException);
    }
  }

  #hintIn(folder: string, name: string | null): void {
    if (name === null) return this.#hint(undefined);
    const path = join(folder, name);
    const names = this.#scan?.folders.get(folder)?.names;
    if (names === undefined ? !this.#isIgnored(path) : names.has(name)) this.#hint(path);
  }

  /** A folder that is gone is found by the next scan; in all other cases the OS does not tell of changes. */
  #lost(folder: string, error: NodeJS.ErrnoException): void {
    this.#watches.get(folder)?.stop();
    this.#watches.delete(folder);
    const { code } = error;
    if (code === "ENOENT" || code === "ENOTDIR") return this.#hint(undefined);
    if (code === "EACCES" || code === "EPERM") return this.#poll(`the folder ${folder} may not be watched (${code})`);
    const knob = code === "EMFILE" ? "max_user_instances" : "max_user_watches";
    this.#poll(`the OS gives no more watches (${code}; fs.inotify.${knob} is the limit)`);
  }

  #poll(why: string): void {
    if (this.#isPolling || this.#isStopped) return;
    this.#isPolling = true;
    this.#closeWatches();
    this.#options.onNotice?.(`${why}; it is looked every ${pollEveryMs} ms whether files have changed`);
    if (!this.#isScanning) this.#lookIn(pollEveryMs);
  }

  #closeWatches(): void {
    for (const { stop } of this.#watches.values()) stop();
    this.#watches.clear();
  }
}

const watchThroughHost: WatchFolder = (folder, onHint, onError) => {
  const watcher = watchHost(folder, { persistent: false }, (_event, name) => onHint(name));
  watcher.on("error", onError);
  return () => watcher.close();
};
