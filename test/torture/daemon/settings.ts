/**
 * Settings: what a run is given of the config and of the environment of whoever applied it. Each config that is applied has another
 * version, and the epoch of its environment is that version; so no run is of a later version than its epoch.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Evidence, Fact, Part } from "./part.ts";

/** Where the secrets are, in the folder of the fleet. */
export const secretsFolder = "secrets";

/** The file with the secret of a version. */
export function secretFile(folder: string, version: number): string {
  const file = join(folder, secretsFolder, String(version));
  writeFileSync(file, `${version}\n`, { mode: 0o600 });
  return file;
}

export const settings: Part = {
  name: "a run has the environment and the secrets of what was applied",
  facts: [],
  services: {},
  scripts: {},
  evidence: () => new SettingsEvidence(),
};

class SettingsEvidence implements Evidence {
  readonly problems: string[] = [];

  take({ what, run, values: [, version = "", secret = "", epoch = ""] }: Fact): void {
    if (what !== "start") return;
    if (version !== secret) this.problems.push(`${run} is of version ${version}, and was given the secret ${secret}`);
    if (epoch === "" || Number(epoch) < Number(version))
      this.problems.push(`${run} is of version ${version}, and its environment of epoch ${epoch}`);
  }

  pending(): readonly string[] {
    return [];
  }
}
