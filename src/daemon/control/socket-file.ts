/**
 * Socket file: a Unix socket in the file system that nobody but its owner can reach, from the first instant.
 *
 * Guarantees: the folder belongs to this user and is closed to others; what stands in the socket's place is removed only when
 * it is a socket; the new one never has wider rights than 0700, and 0600 at the end.
 * Limits: `socketPathBytesMax`. The caller holds the home's lock, so a socket that is there belongs to no living daemon.
 * Unlike Node's own `listen`: the rights do not depend on the umask that the daemon was started with.
 *
 * @module
 */
import { chmodSync, lstatSync, rmSync, type Stats } from "node:fs";
import type { Server } from "node:net";
import { dirname } from "node:path";

/** Bytes of the path of a Unix socket; `sun_path` of Linux, without its final NUL. */
export const socketPathBytesMax = 107;

/** Binds `server` to `path`. @throws Error with a sentence */
export async function listenOn(server: Server, path: string): Promise<void> {
  assertPath(path);
  assertFolder(dirname(path));
  removeSocket(path);
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: Error): void =>
      reject(new Error(`the control socket ${path} cannot be opened: ${error.message}`, { cause: error }));
    server.once("error", refuse);
    // Node binds within `listen`, so nothing else of this thread meets the changed umask; what libuv's threads
    // create meanwhile is closed to others too, and folders stay folders that can be entered.
    const before = process.umask(0o077);
    try {
      server.listen(path, () => {
        server.off("error", refuse);
        resolve();
      });
    } finally {
      process.umask(before);
    }
  });
  chmodSync(path, 0o600);
}

function assertPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= socketPathBytesMax) return;
  throw new Error(
    `the path of the control socket has ${bytes} bytes and the OS allows ${socketPathBytesMax}: ${path}; choose a shorter home`,
  );
}

function assertFolder(folder: string): void {
  const found = statOf(folder);
  if (found === undefined || !found.isDirectory()) throw new Error(`${folder} is not a folder; a home is one`);
  if (found.uid !== process.getuid?.()) {
    throw new Error(`${folder} belongs to another user (${found.uid}); choose a home of your own`);
  }
  if ((found.mode & 0o077) === 0) return;
  const mode = (found.mode & 0o777).toString(8);
  throw new Error(`${folder} can be reached by other users (mode ${mode}); close it with: chmod 700 ${folder}`);
}

function removeSocket(path: string): void {
  const found = statOf(path);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path} is in the way: it is not a socket; remove it or choose another home`);
  rmSync(path, { force: true });
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}
