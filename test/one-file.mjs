/**
 * One file: TypeScript for a Node.js that cannot run it. Makes one JavaScript file of a module and all that it imports, in a
 * folder that is gone when this OS process ends.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/**
 * @param source the URL of the module
 * @param purpose in the folder's name: `colos-<purpose>-…`
 * @param outside imports that stay outside of the file, each with the URL where it is
 */
export async function oneFile(source, purpose, outside = {}) {
  const folder = mkdtempSync(join(tmpdir(), `colos-${purpose}-`));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "main.mjs");
  await build({
    entryPoints: [fileURLToPath(source)],
    outfile: file,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    sourcemap: "inline",
    logLevel: "error",
    plugins: [
      {
        name: "outside",
        setup: ({ onResolve }) => {
          for (const [name, path] of Object.entries(outside)) {
            onResolve({ filter: new RegExp(`^${name}$`) }, () => ({ path, external: true }));
          }
        },
      },
    ],
  });
  return { folder, file };
}

/** Runs a runner's `main` for people: what it throws is one line, and the exit code is 2. */
export async function runMain(name, main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    process.stderr.write(`${name}: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 2;
  }
}
