/**
 * Recorder process: what makes an OS process the recorder of its home.
 *
 * Guarantees: one recorder for each home: it holds the lock `recorder.lock` for as long as it lives, and ends at once with exit
 * code 0 when another one holds it. SIGTERM and SIGINT end it after what is in the pipes; a closed terminal does not.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { openSync, unlinkSync } from "node:fs";
import process from "node:process";
import { join } from "node:path";
import { RecorderServer, type RecorderServerOptions } from "./recorder-server.ts";

/** Runs until there is nothing more to do. */
export async function runRecorder(options: Omit<RecorderServerOptions, "onEnd">): Promise<void> {
  const { home, platform } = options;
  if (!holdLock(join(home.root, "recorder.lock"))) process.exit(0);
  process.umask(0o077);
  const remove = (): void => {
    try {
      unlinkSync(home.recorderSocket);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  };
  remove();
  const server = new RecorderServer({ ...options, onEnd: () => process.exit(0) });
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void server.stop());
  process.on("SIGHUP", () => {});
  process.on("uncaughtException", (error) => platform.log("error", error.stack ?? error.message));
  await server.listen();
}

/** The lock belongs to the file descriptor, which lives as long as this OS process. */
function holdLock(path: string): boolean {
  const fd = openSync(path, "a", 0o600);
  return spawnSync("flock", ["-n", "3"], { stdio: ["ignore", "ignore", "inherit", fd] }).status === 0;
}
