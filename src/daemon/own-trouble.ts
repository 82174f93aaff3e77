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

/** What programs say on stderr when the OS refused them something, and its code. */
const sayings: readonly (readonly [RegExp, string])[] = [
  [/No space left/i, "ENOSPC"],
  [/Too many open files/i, "EMFILE"],
  [/Cannot fork|can't fork|temporarily unavailable/i, "EAGAIN"],
  [/Cannot allocate|out of memory/i, "ENOMEM"],
];

/** The code of what a helper of colos (a shell, a probe's command) says has run out; undefined when it says nothing of that kind. */
export function shortageSaid(text: string): string | undefined {
  return sayings.find(([saying]) => saying.test(text))?.[1];
}
