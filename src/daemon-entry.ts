/**
 * Daemon entry: the first file of the daemon's OS process. Arguments: the home.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { DaemonRefusedError, startDaemon } from "./daemon/daemon.ts";
import { homeAt } from "./daemon/home.ts";
import { nodePlatform } from "./platforms/node/node-platform.ts";

const [root = ""] = process.argv.slice(2);
const manifest = JSON.parse(readFileSync(new URL(import.meta.resolve("colos/package.json")), "utf8")) as {
  version: string;
};
const bin = fileURLToPath(new URL("./bin.js", import.meta.url));
const programEntry = fileURLToPath(new URL("./program-entry.js", import.meta.url));
// For this start alone: what this daemon starts, its heart too, is not to have it.
const salvage = process.env["COLOS_SALVAGE"] === "1";
delete process.env["COLOS_SALVAGE"];

try {
  const daemon = await startDaemon({
    home: homeAt(root),
    platform: nodePlatform(),
    version: manifest.version,
    recorderEntry: new URL("./recorder-entry.js", import.meta.url),
    listenEntry: new URL("./listen-entry.js", import.meta.url),
    salvage,
    restartCommand: [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url), root],
    programCommand: ({ name, carrier }) =>
      carrier === "os-process"
        ? [process.execPath, programEntry]
        : [process.execPath, bin, "run", "--carrier", carrier, "--name", name, "--shutdown", "infinity"],
  });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => void daemon.close().then(() => process.exit(0)));
  }
  await daemon.ended;
  process.exit(0);
} catch (error) {
  if (!(error instanceof DaemonRefusedError)) throw error;
  process.stderr.write(`colos: ${error.message}\n`);
  process.exit(5);
}
