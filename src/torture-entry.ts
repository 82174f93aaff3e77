/**
 * Torture entry: the first file of an OS process that a tortured system runs in.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { createSystem } from "./node-system.ts";
import { loadModule } from "./platforms/node/program-bundle.ts";
import { serveSystem } from "./testing/system-process.ts";

const colosUrl = new URL("./index.js", import.meta.url).href;

serveSystem({
  createKernel: () => createSystem().kernel,
  loadModule: (url) => loadModule(fileURLToPath(url), { colosUrl }),
});
