/**
 * Node import host: files as they are on this machine.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { CliHost } from "../host.ts";
import type { ImportHost } from "./source-file.ts";

/** What an import needs, from the host of the command line. */
export function nodeImportHost(host: Pick<CliHost, "cwd" | "loadModule">): ImportHost {
  return {
    cwd: host.cwd,
    cpus: availableParallelism(),
    read: (path) => {
      try {
        return readFileSync(path, "utf8");
      } catch (error) {
        if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
        throw error;
      }
    },
    create: (path, text) => {
      try {
        writeFileSync(path, text, { flag: "wx" });
        return true;
      } catch (error) {
        if (codeOf(error) === "EEXIST") return false;
        throw error;
      }
    },
    loadModule: (file) => host.loadModule(file),
  };
}

function codeOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | null)?.code;
}
