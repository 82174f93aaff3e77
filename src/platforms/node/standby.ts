/**
 * Standby: an OS process that is started ahead waits here until its turn comes, and loads meanwhile what it will need.
 *
 * Guarantees: the turn comes once; who is no standby has it at once. What cannot be loaded ahead is passed over: the program itself
 * meets it, and says so. A module that takes for ever to load keeps nobody from their turn.
 * Not here: who is started ahead and when it is their turn (daemon/core/standby.ts).
 *
 * @module
 */
import { createRequire } from "node:module";
import { Socket } from "node:net";
import process from "node:process";

/** The file descriptor from which a standby reads a line when its turn has come. */
export const standbyVariable = "COLOS_STANDBY";

/**
 * Settles when this OS process is to do its work: at once, unless colos has started it ahead (`standby` in the config).
 * Rejects when the file descriptor that colos has handed over is not open any more.
 */
export function awaitTurn(): Promise<void> {
  const text = process.env[standbyVariable];
  // What it starts is no standby.
  delete process.env[standbyVariable];
  return text === undefined ? Promise.resolve() : lineOn(Number(text));
}

function lineOn(fd: number): Promise<void> {
  // Node makes its stderr when the first socket is closed; that need not be when the turn has come.
  void process.stderr;
  return new Promise((resolve, reject) => {
    const socket = new Socket({ fd, readable: true, writable: false });
    socket.once("error", reject);
    socket.once("end", () => reject(new Error("colos has let this standby go")));
    socket.once("data", () => {
      socket.destroy();
      resolve();
    });
  });
}

/** Loads modules, each a URL, the name of a built-in one, or a path for `require`. */
export async function loadAhead(modules: readonly string[]): Promise<void> {
  const require = createRequire(import.meta.url);
  for (const each of modules) {
    try {
      if (each.startsWith("/")) require(each);
      else await import(each);
    } catch {
      // The program says why when it loads it.
    }
  }
}
