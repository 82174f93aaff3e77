/**
 * Torture entry: the first file of an OS process that a tortured system runs in.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { loadModule } from "./platforms/node/program-bundle.ts";
import { serveSystem } from "./testing/system-process.ts";
import { tortureSystem } from "./torture-system.ts";

const colosUrl = new URL("./index.js", import.meta.url).href;

serveSystem({
  createSystem: tortureSystem,
  loadModule: (url) => loadModule(fileURLToPath(url), { colosUrl }),
});
