import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type LoadedConfig, loadConfigFile } from "./config-file.ts";
import { foregroundPlan } from "./foreground-plan.ts";

/** The config of `services`, in a folder with `files`. */
async function loaded(services: Record<string, unknown>, files: Record<string, string> = {}): Promise<LoadedConfig> {
  const cwd = mkdtempSync(join(tmpdir(), "colos-foreground-plan-"));
  onTestFinished(() => rmSync(cwd, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  writeFileSync(join(cwd, "shop.json"), JSON.stringify({ services }, undefined, 1));
  const host = { cwd, env: process.env, loadModule: () => Promise.reject(new Error("no module")) };
  const config = await loadConfigFile("shop.json", host);
  if ("problems" in config) throw new Error(config.problems.join("\n"));
  return config;
}

describe("the plan for the foreground", () => {
  test("what needs the daemon is refused with its line", async () => {
    const config = await loaded({
      web: { command: ["sh"], nice: 5 },
      api: { command: ["sh"], ready: { notify: true } },
    });

    expect(foregroundPlan(config, {})).toEqual({
      problems: [
        "shop.json:7: services.web.nice: needs the daemon; run colos up without --foreground, or leave it out",
        "shop.json:14: services.api.ready.notify: needs the daemon; run colos up without --foreground, or leave it out",
      ],
    });
  });

  test("env files are read, later ones win, and env wins over all", async () => {
    const web = { command: ["sh"], envFiles: ["a.env", "b.env"], env: { C: "config" } };
    const config = await loaded({ web }, { "a.env": "A=a\nB=a\nC=a", "b.env": "B=${A}${HOME}" });

    const result = foregroundPlan(config, { HOME: "/home" });

    expect(result).toMatchObject({ plan: { services: [{ envFiles: [], env: { A: "a", B: "a/home", C: "config" } }] } });
  });

  test("a wrong line of an env file is refused", async () => {
    const config = await loaded({ web: { command: ["sh"], envFiles: ["a.env"] } }, { "a.env": "A" });

    const result = foregroundPlan(config, {});

    expect("problems" in result && result.problems[0]).toMatch(/a\.env:1: is not NAME=value, a comment or empty$/);
  });

  test("an env file that is not there is refused with the config", async () => {
    await expect(loaded({ web: { command: ["sh"], envFiles: ["none.env"] } })).rejects.toThrow(
      'services.web.envFiles[0]: "none.env" does not exist',
    );
  });

  test("a system in which nothing starts by itself is refused", async () => {
    const config = await loaded({ web: { command: ["sh"], autostart: false } });

    expect(foregroundPlan(config, {})).toEqual({
      problems: ["shop.json: has no service that starts by itself; remove an autostart: false"],
    });
  });
});
