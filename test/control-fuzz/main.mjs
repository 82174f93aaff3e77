/**
 * `npm run fuzz:control [-- --requests 1000000 --seed 1 --at-once 64 --node-flag --max-semi-space-size=1]`. What it does is in fuzz.ts.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { oneFile, runMain } from "../one-file.mjs";

const at = (name) => new URL(name, import.meta.url);
const { file: serverFile } = await oneFile(at("server.ts"), "fuzz-server");
const { file: healthyFile } = await oneFile(at("healthy.ts"), "fuzz-healthy");
const { file } = await oneFile(at("fuzz.ts"), "fuzz");
const { main } = await import(pathToFileURL(file).href);
await runMain("fuzz:control", () => main(process.argv.slice(2), { serverFile, healthyFile }));
