/**
 * Daemon entry: the first file of the daemon's OS process. Arguments: the home; `again` when its heart starts it; `--no-heart` for
 * a daemon that its starter starts again, so that no heart does.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { daemonParts } from "./daemon-parts.ts";
import { DaemonRefusedError, startDaemon } from "./daemon/daemon.ts";
import { homeAt } from "./daemon/home.ts";
import { JournalError } from "./daemon/journal/journal.ts";
import { forgetAllocator } from "./daemon/boot/allocator.ts";
import { daemonLog, refusedCode } from "./daemon/boot/launch.ts";
import { LockError } from "./daemon/lock.ts";
import { ownLogWriter } from "./daemon/log/own-log.ts";
import { nodePlatform } from "./platforms/node/node-platform.ts";

const [root = "", ...flags] = process.argv.slice(2);
const ownFile = fileURLToPath(import.meta.url);
const manifest = JSON.parse(readFileSync(join(dirname(ownFile), "..", "package.json"), "utf8")) as { version: string };
// For this start alone: what this daemon starts, its heart too, is not to have it.
const salvage = process.env["COLOS_SALVAGE"] === "1";
delete process.env["COLOS_SALVAGE"];
forgetAllocator();

const home = homeAt(root);
const own = [process.execPath, ...process.execArgv, ownFile] as const;

async function main(): Promise<void> {
  try {
    const daemon = await startDaemon({
      ...daemonParts(import.meta.url),
      home,
      platform: nodePlatform({ writeLine: ownLogWriter(daemonLog(home)) }),
      version: manifest.version,
      salvage,
      ...(flags.includes("--no-heart") ? {} : { restartCommand: [...own, root, "again"] as const }),
      isAgain: flags.includes("again"),
    });
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      process.on(signal, () => void daemon.close().then(() => process.exit(0)));
    }
    await daemon.ended;
    process.exit(0);
  } catch (error) {
    // What only a person can mend is a sentence; anything else is a fault, with its place.
    const isForPeople = [DaemonRefusedError, JournalError, LockError].some((kind) => error instanceof kind);
    if (!isForPeople) throw error;
    process.stderr.write(`colos: ${(error as Error).message}\n`);
    process.exit(error instanceof DaemonRefusedError ? refusedCode : 1);
  }
}

void main();
