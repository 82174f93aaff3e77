/**
 * Watch scan: what lies at some paths at one moment, and how two moments differ.
 *
 * Guarantees: symlinks in a folder are not followed, so no scan is endless; a path that is given may be one, and then counts as
 * what it leads to. What vanishes during a scan counts as gone. A folder that cannot be read counts as empty.
 * Limit: `filesMax`, unless another is given; what is beyond is not seen, and `isCut` says so.
 * Not here: when to scan (watch.ts).
 *
 * @module
 */
import { createHash } from "node:crypto";
import { lstat, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Files in all paths together. */
export const filesMax = 20_000;
/** `lstat`s under way at a time; each takes a thread of libuv's few. */
const statsAtOnceMax = 32;

/** What tells one state of a file from another. Neither its mode nor its owner: those change nothing in it. */
export interface FileStamp {
  readonly inode: number;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** A folder in which something may happen. */
export interface ScannedFolder {
  /** Another inode is another folder, though its path is the same. */
  readonly inode: number;
  /** Only these names in it matter; absent: all that are not ignored. */
  readonly names?: ReadonlySet<string>;
}

export interface Scan {
  /** By absolute path. */
  readonly files: ReadonlyMap<string, FileStamp>;
  readonly folders: ReadonlyMap<string, ScannedFolder>;
  readonly isCut: boolean;
}

/** Whether an entry of a folder is passed over. */
export type Ignore = (path: string) => boolean;

/** All that is at these absolute paths now. Rejects when the OS refuses for want of something (EMFILE, ENOMEM). */
export async function scanPaths(paths: readonly string[], isIgnored: Ignore, most: number = filesMax): Promise<Scan> {
  const files = new Map<string, FileStamp>();
  const folders = new Map<string, ScannedFolder>();
  const open: string[] = [];
  for (const path of paths) {
    await addAnchor(path, folders);
    const found = await absentAsUndefined(stat(path));
    if (found?.isDirectory() === true) open.push(path);
    else if (found !== undefined) files.set(path, stampOf(found));
  }
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    const self = await absentAsUndefined(stat(folder));
    const entries = self && (await absentAsUndefined(readdir(folder, { withFileTypes: true })));
    if (self === undefined || entries === undefined) continue;
    folders.set(folder, { inode: self.ino });
    const kept = entries.filter((entry) => !isIgnored(join(folder!, entry.name)));
    for (const entry of kept) if (entry.isDirectory()) open.push(join(folder, entry.name));
    const names = kept.filter((entry) => !entry.isDirectory()).map((entry) => join(folder!, entry.name));
    if (files.size + names.length > most) return { files, folders, isCut: true };
    for (const [path, stamp] of await stampsOf(names)) files.set(path, stamp);
  }
  return { files, folders, isCut: false };
}

/** Files that came, went or changed, in no order. `doubtful` ones count as changed unless they are certainly the same. */
export function changesBetween(before: Scan, after: Scan, doubtful: ReadonlySet<string>): string[] {
  const gone = [...before.files.keys()].filter((path) => !after.files.has(path));
  const changed = [...after.files].filter(([path, stamp]) => {
    const old = before.files.get(path);
    return old === undefined || !isSame(old, stamp) || doubtful.has(path);
  });
  return [...gone, ...changed.map(([path]) => path)];
}

/**
 * What tells all files of one moment from those of another, over the life of a daemon: the inode is not in it, since a file system may
 * give others after a restart of the machine. Undefined when not all was seen.
 */
export function digestOf({ files, isCut }: Scan): string | undefined {
  if (isCut) return undefined;
  const hash = createHash("sha256");
  for (const path of [...files.keys()].toSorted()) {
    const { sizeBytes, modifiedMs } = files.get(path)!;
    hash.update(`${path}\0${sizeBytes} ${modifiedMs}\n`);
  }
  return hash.digest("base64url");
}

function isSame(one: FileStamp, other: FileStamp): boolean {
  return one.inode === other.inode && one.sizeBytes === other.sizeBytes && one.modifiedMs === other.modifiedMs;
}

/** The nearest folder above that exists: there one sees the path come, go and be replaced. */
async function addAnchor(path: string, folders: Map<string, ScannedFolder>): Promise<void> {
  let name = path;
  for (;;) {
    const folder = dirname(name);
    const found = await absentAsUndefined(stat(folder));
    if (found?.isDirectory() === true || folder === name) {
      const known = folders.get(folder);
      if (found !== undefined)
        folders.set(folder, { inode: found.ino, names: new Set([...(known?.names ?? []), basename(name)]) });
      return;
    }
    name = folder;
  }
}

async function stampsOf(paths: readonly string[]): Promise<(readonly [string, FileStamp])[]> {
  const stamps: (readonly [string, FileStamp])[] = [];
  for (let at = 0; at < paths.length; at += statsAtOnceMax) {
    const some = paths.slice(at, at + statsAtOnceMax);
    const found = await Promise.all(some.map((path) => absentAsUndefined(lstat(path))));
    for (const [index, entry] of found.entries()) if (entry !== undefined) stamps.push([some[index]!, stampOf(entry)]);
  }
  return stamps;
}

function stampOf({ ino, size, mtimeMs }: { ino: number; size: number; mtimeMs: number }): FileStamp {
  return { inode: ino, sizeBytes: size, modifiedMs: mtimeMs };
}

const absentCodes: ReadonlySet<string | undefined> = new Set(["ENOENT", "ENOTDIR", "EACCES", "ELOOP", "EPERM", "EIO"]);

async function absentAsUndefined<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (absentCodes.has((error as NodeJS.ErrnoException).code)) return undefined;
    throw error;
  }
}
