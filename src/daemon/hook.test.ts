import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Command } from "./bounded-command.ts";
import { hooksAtOnceMax, runHook } from "./hook.ts";

const sh = (script: string): Command => ["/bin/sh", "-c", script];
const env = { PATH: process.env["PATH"]!, COLOS_REASON: "too many restarts" };

describe("hook", () => {
  test("it runs in its folder with its environment, and there is nothing to say", async () => {
    const cwd = mkdtempSync(join(tmpdir(), "colos-hook-"));
    onTestFinished(() => rmSync(cwd, { recursive: true }));

    expect(await runHook(sh('echo "$COLOS_REASON" > told'), env, { cwd })).toBeUndefined();
    expect(readFileSync(join(cwd, "told"), "utf8")).toBe("too many restarts\n");
  });

  test.each<[string, Command, string]>([
    [
      "an exit code",
      sh("echo no mail >&2; exit 3"),
      "the hook /bin/sh -c echo no mail >&2; exit 3 failed: exit code 3: no mail",
    ],
    ["a hang", ["sleep", "1000"], "the hook sleep 1000 failed: still running after 100 ms"],
    ["a command that is not there", ["/not/there"], "the hook /not/there cannot be started in /: ENOENT"],
    ["an argument that cannot be one", ["a\0b"], "the hook a\0b cannot be started in /: ERR_INVALID_ARG_VALUE"],
  ])("%s is a sentence", async (_, command, sentence) => {
    expect(await runHook(command, env, { timeoutMs: 100 })).toBe(sentence);
  });

  test("more than the limit at a time are not run", async () => {
    const hooks = Array.from({ length: hooksAtOnceMax + 1 }, () => runHook(["true"], env));

    const said = await Promise.all(hooks);

    expect(said.filter((sentence) => sentence !== undefined)).toEqual([
      `the hook true was not run: ${hooksAtOnceMax} hooks run already`,
    ]);
    expect(await runHook(["true"], env)).toBeUndefined();
  });
});
