/**
 * `npm run conformance`: the runner, with the built colos beside it. What it does and takes is in runner.ts.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { oneFile, runMain } from "../one-file.mjs";

const { file } = await oneFile(new URL("runner.ts", import.meta.url), "conformance", {
  colos: new URL("../../dist/index.js", import.meta.url).href,
});
const { main } = await import(pathToFileURL(file).href);
await runMain("conformance", () => main(process.argv.slice(2), new URL(".", import.meta.url)));
