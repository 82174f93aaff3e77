// Compiles src/ to dist/ once: does nothing when no source is newer than the last build.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync, writeFileSync, chmodSync } from "node:fs";

const stamp = "dist/.built";
const newest = (path) => {
  const entry = statSync(path);
  if (!entry.isDirectory()) return entry.mtimeMs;
  return Math.max(entry.mtimeMs, ...readdirSync(path).map((name) => newest(`${path}/${name}`)));
};
const inputs = Math.max(...["src", "tsconfig.base.json", "tsconfig.build.json", "package-lock.json"].map(newest));
const built = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0;
if (inputs >= built) {
  rmSync("dist", { recursive: true, force: true });
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], {
    stdio: "inherit",
  });
  if (existsSync("dist/bin.js")) chmodSync("dist/bin.js", 0o755);
  writeFileSync(stamp, "");
}
