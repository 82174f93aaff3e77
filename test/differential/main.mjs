/**
 * `npm run conformance`: makes one file of the runner and its TypeScript sources, with the built colos beside it, and
 * runs that. What it does and takes is in runner.ts.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const folder = mkdtempSync(join(tmpdir(), "colos-conformance-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

const builtColos = {
  name: "built colos",
  setup: ({ onResolve }) =>
    onResolve({ filter: /^colos$/ }, () => ({
      path: new URL("../../dist/index.js", import.meta.url).href,
      external: true,
    })),
};
const outfile = join(folder, "runner.mjs");
await build({
  entryPoints: [fileURLToPath(new URL("runner.ts", import.meta.url))],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  sourcemap: "inline",
  plugins: [builtColos],
});
const { main } = await import(pathToFileURL(outfile).href);
try {
  process.exitCode = await main(process.argv.slice(2), new URL(".", import.meta.url));
} catch (error) {
  process.stderr.write(`conformance: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 2;
}
