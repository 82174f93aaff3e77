import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { runPlan } from "./run-plan.ts";
import { readRun, run } from "./verb/run.ts";
import { readWords } from "./words.ts";

/** A folder with worm.ts, serve (executable) and sub/. */
function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "colos-run-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  writeFileSync(join(path, "worm.ts"), "");
  writeFileSync(join(path, "serve"), "");
  chmodSync(join(path, "serve"), 0o755);
  mkdirSync(join(path, "sub"));
  return path;
}

function planOf(cwd: string, ...words: string[]) {
  const invocation = readRun(readWords("colos run", words, run.options, { optionsFirst: true }));
  return runPlan(invocation, cwd, { PATH: "/usr/bin:/bin" });
}

/** The one service of a plan, or what is wrong. */
function serviceOf(...call: Parameters<typeof planOf>) {
  const result = planOf(...call);
  return "plan" in result ? result.plan.services[0] : result.problems;
}

describe("run plan", () => {
  test("a TypeScript file is a program, temporary, named after the file", () => {
    const cwd = folder();

    expect(serviceOf(cwd, "worm.ts", "--fast")).toMatchObject({
      name: "worm",
      run: { kind: "program", file: join(cwd, "worm.ts"), args: ["--fast"] },
      carrier: "os-process",
      restart: "temporary",
      cwd,
    });
  });

  test("anything else is a command", () => {
    expect(serviceOf(folder(), "sh", "-c", "exit 3")).toMatchObject({
      name: "sh",
      run: { kind: "command", command: ["sh", "-c", "exit 3"] },
      carrier: "command",
    });
  });

  test("options reach the service", () => {
    const cwd = folder();

    const options = ["--name", "w", "--carrier", "thread", "--env", "A=1", "--cwd", "sub", "--shutdown", "7"];

    expect(serviceOf(cwd, ...options, "worm.ts")).toMatchObject({
      name: "w",
      run: { file: join(cwd, "worm.ts") },
      carrier: "thread",
      env: { A: "1" },
      cwd: join(cwd, "sub"),
      shutdown: 7,
    });
  });

  test("a relative command with --cwd is the caller's", () => {
    const cwd = folder();

    expect(serviceOf(cwd, "--cwd", "sub", "./serve")).toMatchObject({ run: { command: [join(cwd, "serve")] } });
  });

  test("a relative command without --cwd keeps its word", () => {
    expect(serviceOf(folder(), "./serve")).toMatchObject({ run: { command: ["./serve"] } });
  });

  test("a name is made from what a name may hold", () => {
    expect(serviceOf(folder(), "/bin/../bin/sh")).toMatchObject({ name: "sh" });
    expect(planOf(folder(), "…")).toMatchObject({ problems: ['colos run: "…" was not found on PATH'] });
  });

  test.each([
    [["none.ts"], 'colos run: "none.ts" does not exist'],
    [["colos-ngnix"], 'colos run: "colos-ngnix" was not found on PATH'],
    [["--cwd", "none", "sh"], 'colos run: "none" does not exist'],
    [["--name", "a b", "sh"], 'colos run: "a b" is not a name; names consist of A-Z, a-z, 0-9, _ and -'],
    [
      ["--carrier", "thread", "sh"],
      'colos run: "sh" is not a TypeScript or JavaScript file; for an executable write command',
    ],
  ])("colos run %j is refused", (words, problem) => {
    expect(planOf(folder(), ...words)).toEqual({ problems: [problem] });
  });
});
