/**
 * Runs colos's own campaigns in the simulator, each seed twice, on Node 20, 22 and 24, and compares all that happened.
 *
 *   npm run determinism                     1,000 double runs on each version
 *   npm run determinism -- --runs 80
 *   npm run determinism -- --versions 20,24
 *
 * The versions come from the npm package `node`.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { oneFile } from "../one-file.mjs";

const { values } = parseArgs({
  options: { runs: { type: "string", default: "1000" }, versions: { type: "string", default: "20,22,24" } },
});

const { folder, file } = await oneFile(new URL("double-runs.ts", import.meta.url), "determinism");
const results = values.versions.split(",").map((version) => {
  const printed = execFileSync("npx", ["--yes", "-p", `node@${version}`, "--", "node", file, values.runs], {
    encoding: "utf8",
    cwd: folder,
  });
  process.stdout.write(printed);
  return JSON.parse(printed);
});
const digests = new Set(results.map(({ digest }) => digest));
const failed = results.find(({ failures }) => failures.length > 0);
if (digests.size > 1 || failed !== undefined) {
  process.stdout.write(failed === undefined ? "the versions differ\n" : `${failed.failures.join("\n")}\n`);
  process.exitCode = 1;
} else {
  process.stdout.write(`equal on ${results.map(({ node }) => node).join(", ")}: ${[...digests][0]}\n`);
}
