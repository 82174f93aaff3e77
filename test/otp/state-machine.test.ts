/** The statements of state-machine.ts, judged by Erlang itself. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { needsProgram } from "../debian.ts";
import { statements } from "./state-machine.ts";

const erl = needsProgram("erl", "erlang-base");
const source = fileURLToPath(new URL("state_machine.erl", import.meta.url));

erl.test(
  "gen_statem does what the statements say",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "colos-state-machine-"));
    try {
      const compile = spawnSync("erlc", ["-o", folder, source], { encoding: "utf8" });
      expect(compile.stdout + compile.stderr).toBe("");

      const { stdout } = spawnSync(erl.path, ["-noshell", "-pa", folder, "-s", "state_machine", "main"], {
        encoding: "utf8",
        timeout: 60_000,
      });

      const lines = stdout.trimEnd().split("\n").toSorted();
      expect(lines).toEqual(statements.map(({ id, trace }) => [id, ...trace].join("|")).toSorted());
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  90_000,
);
