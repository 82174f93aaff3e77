/**
 * Packages: this checkout as npm would install it, and once more as a later version, in one archive for the machine.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The version that `/opt/later/bin/colos` says it is. */
export const laterVersion = "99.0.0";

/** Makes `archive`, to be unpacked in `/`: `usr/local/bin/colos` and `opt/later/bin/colos`. `checkout` must be built. */
export function packColos(checkout: string, archive: string): void {
  const folder = mkdtempSync(join(tmpdir(), "colos-packages-"));
  try {
    const npm = (...words: string[]): string =>
      execFileSync("npm", ["--silent", "--no-audit", "--no-fund", ...words], { cwd: checkout, encoding: "utf8" });
    const packed = join(folder, npm("pack", "--ignore-scripts", "--pack-destination", folder).trim());
    const root = join(folder, "root");
    const install = (prefix: string, tgz: string): void =>
      void npm("install", "--global", "--prefix", join(root, prefix), tgz);
    install("usr/local", packed);
    execFileSync("tar", ["-xf", packed, "-C", folder]);
    const manifest = join(folder, "package/package.json");
    const described = JSON.parse(readFileSync(manifest, "utf8")) as Record<string, unknown>;
    writeFileSync(manifest, JSON.stringify({ ...described, version: laterVersion }));
    const later = join(folder, "later.tgz");
    execFileSync("tar", ["-czf", later, "-C", folder, "package"]);
    mkdirSync(join(root, "opt"), { recursive: true });
    install("opt/later", later);
    execFileSync("tar", ["-czf", archive, "-C", root, "--owner=0", "--group=0", "."]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
