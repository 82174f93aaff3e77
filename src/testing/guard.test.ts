import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Guard, GuardError, guardLimitMsMax } from "./guard.ts";

function place(): string {
  const folder = mkdtempSync(join(tmpdir(), "colos-guard-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const touch = (folder: string): { does: string; undoes: string; args: readonly string[] } => ({
  does: 'touch "$1/done"',
  undoes: 'rm "$1/done" && echo x >>"$1/undone"',
  args: [folder],
});

describe("guard", () => {
  test("has done its work when it has started, and undoes it once", async () => {
    const folder = place();

    const guard = await Guard.start({ ...touch(folder), limitMs: 60_000 });
    const whileDone = existsSync(join(folder, "done"));
    await guard.undo();
    await guard.undo();

    expect(whileDone).toBe(true);
    expect(existsSync(join(folder, "done"))).toBe(false);
    expect(readFileSync(join(folder, "undone"), "utf8")).toBe("x\n");
  });

  test("undoes by itself when its time is over", async () => {
    const folder = place();

    const guard = await Guard.start({ ...touch(folder), limitMs: 20 });

    expect(await guard.ended).toBe(undefined);
    expect(existsSync(join(folder, "undone"))).toBe(true);
  });

  test("undoes what was done in part when the rest fails, and says why", async () => {
    const folder = place();
    const does = 'touch "$1/done" && cat "$1/absent"';

    const start = Guard.start({ ...touch(folder), does, limitMs: 60_000 });

    await expect(start).rejects.toThrow(GuardError);
    await expect(start).rejects.toThrow(/absent: No such file/);
    expect(existsSync(join(folder, "undone"))).toBe(true);
  });

  test("takes its values as they are, whatever they hold", async () => {
    const folder = place();
    const value = `a "b" $(touch ${folder}/bad) 'c' \\ ; *`;

    const guard = await Guard.start({
      does: 'printf %s "$2" >"$1/value"',
      undoes: ":",
      args: [folder, value],
      limitMs: 60_000,
    });
    await guard.undo();

    expect(readFileSync(join(folder, "value"), "utf8")).toBe(value);
    expect(existsSync(join(folder, "bad"))).toBe(false);
  });

  test("says what it could not undo", async () => {
    const guard = await Guard.start({ does: ":", undoes: "cat /absent", limitMs: 60_000 });

    await expect(guard.undo()).rejects.toThrow(/absent: No such file/);
  });

  test("is told when there is no such command", async () => {
    const start = Guard.start({ within: ["/absent/command"], does: ":", undoes: ":", limitMs: 1000 });

    await expect(start).rejects.toThrow(/ENOENT/);
  });

  test.each([0, -1, Number.NaN, guardLimitMsMax + 1])("refuses a limit of %s ms", async (limitMs) => {
    await expect(Guard.start({ does: ":", undoes: ":", limitMs })).rejects.toThrow(RangeError);
  });
});
