#!/usr/bin/env node
/**
 * The `colos` command: joins the command line to this OS process and to the system it starts.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import type { CliHost, Output, StopSignal } from "./cli/host.ts";
import { runCli } from "./cli/main.ts";
import { nodePlatform } from "./platforms/node/node-platform.ts";
import { captureOwnOutput, uncaptured } from "./platforms/node/own-output.ts";

const stopSignals: readonly StopSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];
const colosUrl = new URL("./index.js", import.meta.url).href;
const manifest = JSON.parse(readFileSync(new URL(import.meta.resolve("colos/package.json")), "utf8")) as {
  version: string;
};

/** A stream of this OS process as a face sees it: also while the system captures what others write there. */
function faceOutput(stream: NodeJS.WriteStream, write: (text: string) => boolean): Output {
  return {
    get isTTY() {
      return stream.isTTY;
    },
    get columns() {
      return stream.columns;
    },
    get rows() {
      return stream.rows;
    },
    get writableLength() {
      return stream.writableLength;
    },
    write: (text) => write(text),
    on: (event: "error" | "resize", listener: (error: Error) => void) => stream.on(event, listener),
    off: (event: "resize", listener: () => void) => stream.off(event, listener),
  };
}

// What the system has to say goes where its services' output goes, so that a live view keeps the screen to itself.
const platform = nodePlatform({ writeLine: (line) => void process.stderr.write(`${line}\n`) });

const host: CliHost = {
  version: manifest.version,
  cwd: process.cwd(),
  env: process.env,
  stdout: faceOutput(process.stdout, uncaptured.stdout),
  stderr: faceOutput(process.stderr, uncaptured.stderr),
  clock: platform.clock,
  // What only some verbs need is loaded when they do. Source maps are for the code of others: colos's own modules, loaded before,
  // need not bring theirs into memory.
  loadModule: async (file) => {
    const { loadModule } = await import("./platforms/node/program-bundle.ts");
    process.setSourceMapsEnabled(true);
    return loadModule(file, { colosUrl });
  },
  startSystem: async (plan, { passthrough }) => {
    const [{ startForeground }, { createSystem }] = await Promise.all([
      import("./daemon/foreground.ts"),
      import("./node-system.ts"),
    ]);
    process.setSourceMapsEnabled(true);
    return startForeground(createSystem({ platform }).kernel, plan, { passthrough, captureOwnOutput });
  },
  onStopSignal: (listener) => {
    for (const signal of stopSignals) process.on(signal, listener);
    return () => {
      for (const signal of stopSignals) process.off(signal, listener);
    };
  },
  onExit: (listener) => {
    process.on("exit", listener);
    return () => process.off("exit", listener);
  },
};

/** Settles when everything written so far was taken by the reader, or never will be. */
function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => void stream.write("", () => resolve()));
}

const exitCode = await runCli(process.argv.slice(2), host);
// What ran in this heap, a config or a service on a coroutine, may have left a timer that would keep colos running.
await Promise.all([drained(process.stdout), drained(process.stderr)]);
process.exit(exitCode);
