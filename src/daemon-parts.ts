/**
 * Daemon parts: what every composition of a daemon is told about the files of this package.
 *
 * @module
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { DaemonOptions } from "./daemon/daemon-options.ts";

/** `here` is the URL of a file that lies directly in dist/. */
export function daemonParts(here: string): Pick<DaemonOptions, "recorderEntry" | "listenEntry" | "programCommand"> {
  const bin = fileURLToPath(new URL("./bin.js", here));
  const programEntry = fileURLToPath(new URL("./program-entry.js", here));
  return {
    recorderEntry: new URL("./recorder-entry.cjs", here),
    listenEntry: new URL("./listen-entry.js", here),
    programCommand: ({ name, carrier }) =>
      carrier === "os-process"
        ? [process.execPath, programEntry]
        : [process.execPath, bin, "run", "--carrier", carrier, "--name", name, "--shutdown", "infinity"],
  };
}
