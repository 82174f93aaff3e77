import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunSpec } from "../run/run.ts";
import { listenEnv } from "./program-env.ts";

let folder: string;
let entry: URL;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "colos-env-"));
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, "entry.js"), "", { mode: 0o644 });
  symlinkSync(process.execPath, join(folder, "own"));
  entry = pathToFileURL(join(folder, "entry.js"));
});

afterAll(() => rmSync(folder, { recursive: true }));

const envOf = (more: Partial<RunSpec> = {}): Record<string, string> =>
  listenEnv(
    {
      id: "web.1.1",
      service: "web",
      instance: 1,
      argv: [process.execPath, "web.js"],
      env: {},
      cwd: "/",
      listen: [{ port: 80, host: "::1" }],
      stdin: "null",
      limits: {},
      logs: { sizeBytes: 1, ageMs: 1, budgetBytes: 1 },
      ...more,
    },
    entry,
  );

describe("what a run with listen is told", () => {
  test("is where the socket listens, and for this Node what it loads first", () => {
    expect(envOf()).toEqual({ COLOS_LISTEN: "::1:80", NODE_OPTIONS: `--import=${entry.href}` });
  });

  test("is the same by a link or on the PATH, before options that it has", () => {
    const env = { PATH: folder, NODE_OPTIONS: "--no-warnings" };
    expect(envOf({ argv: ["own"], env })["NODE_OPTIONS"]).toBe(`--import=${entry.href} --no-warnings`);
  });

  test.each<readonly [string, Partial<RunSpec>]>([
    ["another executable", { argv: ["/bin/sh"] }],
    ["what is not there", { argv: ["/nowhere/node"] }],
    ["the permission model", { argv: [process.execPath, "--permission", "web.js"] }],
    ["the permission model in NODE_OPTIONS", { env: { NODE_OPTIONS: "--experimental-permission" } }],
  ])("is only where the socket listens for %s", (_, more) => {
    expect(envOf(more)).toEqual({ COLOS_LISTEN: "::1:80" });
  });

  test("is only where the socket listens for a user that may not read the file", () => {
    expect(envOf({ user: "www-data" })).toHaveProperty("NODE_OPTIONS");
    chmodSync(folder, 0o700);
    expect(envOf({ user: "www-data" })).toEqual({ COLOS_LISTEN: "::1:80" });
    chmodSync(folder, 0o755);
  });

  test("is nothing without listen", () => {
    expect(envOf({ listen: [] })).toEqual({});
  });
});
