/**
 * `npm run exhaustion [-- --seconds 60 --kind disk --keep folder]`. What it does is in exhaustion.ts.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { oneFile, runMain } from "../one-file.mjs";

const dist = new URL("../../dist/", import.meta.url);
const { file } = await oneFile(new URL("exhaustion.ts", import.meta.url), "exhaustion");
const { main } = await import(pathToFileURL(file).href);
await runMain("exhaustion", () => main(process.argv.slice(2), dist));
