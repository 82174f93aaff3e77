/**
 * Bundle cache: compiled programs on disk. A bundle is `<hash>.mjs`, named for its content; a manifest
 * `<key>.json` says which bundle belongs to a program and which files it was made from.
 *
 * Guarantees: a bundle is found only while everything it was made from is unchanged and its bytes are those
 * that were stored; whatever is damaged counts as absent. Files appear whole (temporary file and rename), so
 * any number of OS processes may use one folder at once.
 * Limits: `bundlesMax` bundles a folder, the longest unused go first; who holds the path of a bundle for
 * longer must ask again before using it. A change is seen by size and modification time; for a file changed
 * within `racyWindowMs` before it was read, by content.
 * Not here: compiling (bundle-compile.ts).
 *
 * @module
 */
import { createHash, randomUUID } from "node:crypto";
import * as fs from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, isAbsolute, join } from "node:path";

/** Bundles kept in one cache folder. */
export const bundlesMax = 200;
/** A file changed this shortly before it was read may change again without a new time stamp, in milliseconds. */
export const racyWindowMs = 100;
/** How long a bundle's time of last use may be behind the truth, in milliseconds. */
export const touchAfterMs = 3_600_000;
/** A temporary file older than this belongs to a writer that died, in milliseconds. */
export const abandonedAfterMs = 3_600_000;

const formatVersion = 2;
const hashChars = 32;

/** What a bundle was made from: a file as it was then, or a file that was not there. */
export interface Stamp {
  readonly path: string;
  /** Absent: the file was not there. */
  readonly sizeBytes?: number;
  readonly mtimeMs?: number;
  /** Only for a file that changed so shortly before that its time stamp proves nothing. */
  readonly hash?: string;
}

/** A bundle on disk. */
export interface StoredBundle {
  /** Absolute path. */
  readonly path: string;
  readonly hash: string;
  /** What it imports first, as `NewBundle` has it. */
  readonly imports: readonly string[];
}

/** A bundle to be stored. */
export interface NewBundle {
  readonly code: string;
  readonly inputs: readonly Stamp[];
  /** What is loaded before its own code runs: file URLs and built-in modules, and absolute paths for `require`. */
  readonly imports: readonly string[];
  /** Of the compiler; for people who look into the manifest. */
  readonly compiler: string;
}

interface Manifest {
  readonly format: number;
  readonly entry: string;
  readonly colosUrl: string;
  readonly compiler: string;
  readonly hash: string;
  readonly inputs: readonly Stamp[];
  readonly imports: readonly string[];
}

/** The content hash that names a bundle: 128 bits of SHA-256 in hexadecimal. */
export function contentHash(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex").slice(0, hashChars);
}

/** Describes `path` as it is now; take it before reading the file. */
export function stampOf(path: string): Stamp {
  const stat = statOfFile(path);
  if (stat === undefined) return { path };
  const stamp = { path, sizeBytes: stat.size, mtimeMs: stat.mtimeMs };
  const isRacy = Math.abs(Date.now() - stat.mtimeMs) < racyWindowMs;
  return isRacy ? { ...stamp, hash: contentHash(fs.readFileSync(path)) } : stamp;
}

function isUnchanged(stamp: Stamp): boolean {
  const stat = statOfFile(stamp.path);
  if (stat === undefined) return stamp.sizeBytes === undefined;
  if (stat.size !== stamp.sizeBytes || stat.mtimeMs !== stamp.mtimeMs) return false;
  return stamp.hash === undefined || contentHash(fs.readFileSync(stamp.path)) === stamp.hash;
}

/** A file that cannot be reached is as good as absent. */
function statOfFile(path: string): fs.Stats | undefined {
  try {
    const stat = fs.statSync(path, { throwIfNoEntry: false });
    return stat?.isFile() === true ? stat : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Where bundles of `file` may lie, best first: the nearest package that has node_modules, the user's cache
 * folder, the system's temporary folder.
 */
export function cacheFolders(file: string): string[] {
  const folders: string[] = [];
  const root = packageRoot(dirname(file));
  if (root !== undefined) folders.push(join(root, "node_modules", ".cache", "colos"));
  const userCache = userCacheFolder();
  if (userCache !== undefined) folders.push(join(userCache, "colos"));
  folders.push(temporaryFolder());
  return folders;
}

function packageRoot(folder: string): string | undefined {
  const isRoot =
    basename(folder) !== "node_modules" &&
    fs.existsSync(join(folder, "package.json")) &&
    fs.existsSync(join(folder, "node_modules"));
  if (isRoot) return folder;
  const parent = dirname(folder);
  return parent === folder ? undefined : packageRoot(parent);
}

function userCacheFolder(): string | undefined {
  const configured = process.env["XDG_CACHE_HOME"];
  if (configured !== undefined && isAbsolute(configured)) return configured;
  try {
    return join(homedir(), ".cache");
  } catch {
    return undefined; // a user without an entry in the user database and without HOME
  }
}

function temporaryFolder(): string {
  return join(tmpdir(), `colos-${process.getuid?.() ?? "user"}`);
}

/** The bundle of `entry` when it is stored in one of `folders` and still true. Never throws. */
export function findBundle(folders: readonly string[], entry: string, colosUrl: string): StoredBundle | undefined {
  for (const folder of folders) {
    try {
      const found = isOurs(folder) ? readBundle(folder, entry, colosUrl) : undefined;
      if (found !== undefined) return found;
    } catch {
      // Absent, unreadable or damaged: all the same, it is made again.
    }
  }
  return undefined;
}

function readBundle(folder: string, entry: string, colosUrl: string): StoredBundle | undefined {
  const manifestPath = join(folder, manifestName(entry, colosUrl));
  const manifest = JSON.parse(fs.readFileSync(manifestPath, "utf8")) as Manifest;
  const isFor = manifest.format === formatVersion && manifest.entry === entry && manifest.colosUrl === colosUrl;
  if (!isFor || !manifest.inputs.every(isUnchanged)) return undefined;
  const path = join(folder, `${manifest.hash}.mjs`);
  if (contentHash(fs.readFileSync(path)) !== manifest.hash) return undefined;
  touch(path, manifestPath);
  return { path, hash: manifest.hash, imports: manifest.imports };
}

/** Keeps what is in use from counting as old. */
function touch(path: string, manifestPath: string): void {
  const now = Date.now();
  if (now - fs.statSync(path).mtimeMs < touchAfterMs) return;
  for (const each of [path, manifestPath]) {
    try {
      fs.utimesSync(each, now / 1000, now / 1000);
    } catch {
      // A read-only cache serves as well.
    }
  }
}

function manifestName(entry: string, colosUrl: string): string {
  return `${contentHash(`${entry}\0${colosUrl}`)}.json`;
}

/**
 * Stores `bundle` in the first of `folders` that takes it and removes what is too much there.
 * Throws what the last folder said when none takes it.
 */
export function storeBundle(
  folders: readonly string[],
  entry: string,
  colosUrl: string,
  bundle: NewBundle,
): StoredBundle {
  let refusal: unknown;
  for (const folder of folders) {
    try {
      return storeIn(folder, entry, colosUrl, bundle);
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal;
}

function storeIn(folder: string, entry: string, colosUrl: string, bundle: NewBundle): StoredBundle {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!isOurs(folder)) throw new Error(`${folder} belongs to another user`);
  const { compiler, inputs, imports } = bundle;
  const hash = contentHash(bundle.code);
  const path = join(folder, `${hash}.mjs`);
  const manifest: Manifest = { format: formatVersion, entry, colosUrl, compiler, hash, inputs, imports };
  writeWhole(path, bundle.code);
  writeWhole(join(folder, manifestName(entry, colosUrl)), JSON.stringify(manifest));
  prune(folder, new Set([path, join(folder, manifestName(entry, colosUrl))]));
  return { path, hash, imports };
}

/** In the shared temporary folder anybody can make a folder of our name, and code is loaded from it. */
function isOurs(folder: string): boolean {
  if (folder !== temporaryFolder() || process.getuid === undefined) return true;
  const stat = fs.lstatSync(folder);
  return stat.isDirectory() && stat.uid === process.getuid() && (stat.mode & 0o022) === 0;
}

function writeWhole(path: string, content: string): void {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    fs.writeFileSync(temporary, content, { flag: "wx", mode: 0o600 });
    fs.renameSync(temporary, path);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

function prune(folder: string, keep: ReadonlySet<string>): void {
  const paths = fs.readdirSync(folder).map((name) => join(folder, name));
  removeOldest(
    paths.filter((path) => path.endsWith(".mjs")),
    keep,
  );
  removeOldest(
    paths.filter((path) => path.endsWith(".json")),
    keep,
  );
  const abandoned = (path: string): boolean => Date.now() - changedAtMs(path) > abandonedAfterMs;
  for (const path of paths.filter((each) => each.endsWith(".tmp") && abandoned(each))) fs.rmSync(path, { force: true });
}

function removeOldest(paths: readonly string[], keep: ReadonlySet<string>): void {
  if (paths.length <= bundlesMax) return;
  const byAge = paths.map((path) => ({ path, changedAtMs: keep.has(path) ? Infinity : changedAtMs(path) }));
  byAge.sort((left, right) => right.changedAtMs - left.changedAtMs);
  for (const { path } of byAge.slice(bundlesMax)) fs.rmSync(path, { force: true });
}

/** 0 for what another OS process removed in between. */
function changedAtMs(path: string): number {
  return fs.statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
