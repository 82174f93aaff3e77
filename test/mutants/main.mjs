/**
 * `npm run mutants [-- id…] [-- --write]`: makes one file of the runner and its TypeScript sources and runs that. What it does and
 * takes is in runner.ts.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const folder = mkdtempSync(join(tmpdir(), "colos-mutants-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

const outfile = join(folder, "runner.mjs");
await build({
  entryPoints: [fileURLToPath(new URL("runner.ts", import.meta.url))],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  sourcemap: "inline",
  external: ["esbuild"],
  plugins: [
    {
      // The bundle lies outside the repository, where nothing is found by name.
      name: "esbuild by its place",
      setup: ({ onResolve }) =>
        onResolve({ filter: /^esbuild$/ }, () => ({ path: import.meta.resolve("esbuild"), external: true })),
    },
  ],
});
const { main } = await import(pathToFileURL(outfile).href);
try {
  process.exitCode = await main(process.argv.slice(2), fileURLToPath(new URL("../../", import.meta.url)), folder);
} catch (error) {
  process.stderr.write(`mutants: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 2;
}
