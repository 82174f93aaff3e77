/**
 * Own trouble: tells when the OS refuses something because this OS process, or the machine, is short of something. It is never
 * charged to a service.
 *
 * Limit: a service that eats up the machine makes everybody short; whose fault it is cannot be told from the code.
 *
 * @module
 */

const codes: ReadonlySet<string> = new Set([
  "EMFILE", // file descriptors of this OS process
  "ENFILE", // file descriptors of the machine
  "EAGAIN", // OS processes and threads
  "ENOMEM",
  "ENOBUFS",
  "ENOSPC", // the disk, or the inotify watches of this user
  "EDQUOT",
  "EADDRNOTAVAIL", // local ports
]);

/** Whether an error's code says that something ran out here. */
export function isOwnTrouble(code: string | undefined): boolean {
  return code !== undefined && codes.has(code);
}
