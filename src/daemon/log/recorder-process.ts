/**
 * Recorder process: what makes an OS process the recorder of its home.
 *
 * Guarantees: one recorder for each home: it holds the lock `recorder.lock` for as long as it lives, and ends at once with exit
 * code 0 when another one holds it. SIGTERM and SIGINT end it after what is in the pipes; a closed terminal does not.
 *
 * @module
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { acquireLock, isLock } from "../lock.ts";
import { RecorderServer, type RecorderServerOptions } from "./recorder-server.ts";

/** Runs until there is nothing more to do. */
export async function runRecorder(options: Omit<RecorderServerOptions, "onEnd">): Promise<void> {
  const { home, platform } = options;
  if (!isLock(await acquireLock(join(home.root, "recorder.lock")))) process.exit(0);
  process.umask(0o077);
  // Whoever has the lock is the only one who listens, so a socket that is there is that of a dead one.
  await rm(home.recorderSocket, { force: true });
  const server = new RecorderServer({ ...options, onEnd: () => process.exit(0) });
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void server.stop());
  process.on("SIGHUP", () => {});
  process.on("uncaughtException", (error) => platform.log("error", error.stack ?? error.message));
  await server.listen();
}
