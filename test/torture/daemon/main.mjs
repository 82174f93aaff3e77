/**
 * `npm run campaign [-- --kills 10000 --seed 1]`: the daemon is killed again and again; what must hold is in property.ts.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { oneFile, runMain } from "../../one-file.mjs";

const dist = new URL("../../../dist/", import.meta.url);
const { file } = await oneFile(new URL("campaign.ts", import.meta.url), "campaign", {
  "colos/testing": new URL("testing-entry.js", dist).href,
});
const { main } = await import(pathToFileURL(file).href);
await runMain("campaign", () => main(process.argv.slice(2), dist));
