/**
 * `npm run mutants [-- id…] [-- --write]`. What it does and takes is in runner.ts.
 *
 * @module
 */
import { fileURLToPath, pathToFileURL } from "node:url";
import { oneFile, runMain } from "../one-file.mjs";

const { file, folder } = await oneFile(new URL("runner.ts", import.meta.url), "mutants", {
  esbuild: import.meta.resolve("esbuild"),
});
const { main } = await import(pathToFileURL(file).href);
await runMain("mutants", () => main(process.argv.slice(2), fileURLToPath(new URL("../../", import.meta.url)), folder));
