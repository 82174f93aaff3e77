/** The two files of the command: the quick one, which package.json names, and the whole one, which it leaves the rest to. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { verbs } from "../src/cli/verbs.ts";
import { colosFile } from "./system/colos-process.ts";

const wholeFile = resolve("dist/bin.js");

interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function said(file: string, ...words: readonly string[]): Said {
  const { COLOS_HOME: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...words], { env, encoding: "utf8" });
  return { status, stdout, stderr };
}

describe("the quick file of the command", () => {
  test("is what package.json names", () => {
    const manifest = JSON.parse(readFileSync("package.json", "utf8")) as { bin: { colos: string } };

    expect(resolve(manifest.bin.colos)).toBe(colosFile);
  });

  test.each([
    [["--version"]],
    [["help", "ps"]],
    [["help", "up"]],
    [["plan", "--nonsense"]],
    [["kill"]],
    [["pss"]],
    [["completion", "bash"]],
    [["stop", "web", "--home", "/nonexistent"]],
    [["up", "/nonexistent.yaml", "--home", "/nonexistent"]],
    [["run", "--", process.execPath, "-e", "process.exit(7)"]],
  ])("%j: it says what the whole command says", (words) => {
    expect(said(colosFile, ...words)).toEqual(said(wholeFile, ...words));
  });

  test("what only asks the manager is in it, without any other file", () => {
    const folder = mkdtempSync(join(tmpdir(), "colos-quick-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(join(folder, "dist"));
    cpSync(colosFile, join(folder, "dist/bin.cjs"));
    const asking = ["ps", "start", "stop", "restart", "reload", "scale", "remove", "show", "why", "kill", "send"];
    const words = { scale: ["web", "2"], send: ["web", "hello"], ps: [] };

    const answers = asking.map((verb) => {
      expect(verbs).toHaveProperty(verb);
      const rest = Object.hasOwn(words, verb) ? words[verb as keyof typeof words] : ["web"];
      return said(join(folder, "dist/bin.cjs"), verb, "--home", "/nonexistent", ...rest).stderr;
    });

    const absent = "colos: no daemon is running in /nonexistent\n  Start one with: colos up\n";
    expect(answers).toEqual(asking.map(() => absent));
  });
});
