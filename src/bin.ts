#!/usr/bin/env node
/**
 * The `colos` command: joins the command line to this OS process and to the system it starts.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import type { CliHost, StopSignal } from "./cli/host.ts";
import { runCli } from "./cli/main.ts";
import { startForeground } from "./daemon/foreground.ts";
import { createSystem } from "./node-system.ts";
import { nodePlatform } from "./platforms/node/node-platform.ts";
import { loadModule } from "./platforms/node/program-bundle.ts";

const stopSignals: readonly StopSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];
const colosUrl = new URL("./index.js", import.meta.url).href;
const manifest = JSON.parse(readFileSync(new URL(import.meta.resolve("colos/package.json")), "utf8")) as {
  version: string;
};

const host: CliHost = {
  version: manifest.version,
  cwd: process.cwd(),
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  clock: nodePlatform().clock,
  loadModule: (file) => loadModule(file, { colosUrl }),
  startSystem: (plan, { passthrough }) => startForeground(createSystem().kernel, plan, { passthrough }),
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

process.exitCode = await runCli(process.argv.slice(2), host);
