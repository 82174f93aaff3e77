import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { FakeHost } from "../../../test/fake-cli-host.ts";
import { runCli } from "../main.ts";

/** A host in a folder with a Procfile. */
function procfileHost(): FakeHost {
  const host = new FakeHost();
  host.cwd = mkdtempSync(join(tmpdir(), "colos-import-"));
  onTestFinished(() => rmSync(host.cwd, { recursive: true }));
  writeFileSync(join(host.cwd, "Procfile"), "web: sh -c true\n");
  return host;
}

describe("colos import", () => {
  test("prints the config, and the report apart from it", async () => {
    const host = procfileHost();

    expect(await runCli(["import", "Procfile"], host)).toBe(0);
    expect(host.stdout.text).toBe('services:\n  web:\n    command:\n      - sh\n      - -c\n      - "true"\n');
    expect(host.stderr.text).toContain("taken over");
  });

  test("--json gives the config and the report", async () => {
    const host = procfileHost();

    expect(await runCli(["import", "Procfile", "--to", "colos.config.json", "--json"], host)).toBe(0);
    expect(JSON.parse(host.stdout.text)).toMatchObject({
      config: { services: { web: { command: ["sh", "-c", "true"] } } },
      report: expect.arrayContaining([expect.objectContaining({ service: "web", kind: "taken", key: "command" })]),
      problems: [],
      wrote: "colos.config.json",
    });
    expect(host.stderr.text).toBe("");
    const again = new FakeHost();
    again.cwd = host.cwd;
    expect(await runCli(["init", "--json"], again)).toBe(2);
    expect(JSON.parse(again.stdout.text)).toMatchObject({ error: { code: "config" } });
    expect(again.stderr.text).toContain("colos.config.json: is there already");
  });

  test.each([
    [["Procfile", "--env", "nope"], "--env nope: nothing in Procfile has env_nope; leave it out, or name another\n"],
    [[], "colos import: needs a file to import\n"],
    [["a", "b"], 'colos import: takes one file; "b" is too many\n'],
    [["none"], "none: there is no such file\n"],
  ])("%j is wrong usage", async (words, line) => {
    const host = procfileHost();

    expect(await runCli(["import", ...words], host)).toBe(2);
    expect(host.stderr.text).toBe(line);
  });
});

describe("colos init", () => {
  test("writes a config that is not there yet, once", async () => {
    const host = procfileHost();

    expect(await runCli(["init", "--kind", "json"], host)).toBe(0);
    expect(JSON.parse(readFileSync(join(host.cwd, "colos.config.json"), "utf8"))).toEqual({
      services: { web: { command: ["sh", "-c", "true"] } },
    });
    expect(await runCli(["init"], host)).toBe(2);
    expect(host.stderr.text).toContain("colos.config.json: is there already");
  });

  test.each([
    [["x"], 'colos init: takes no words; "x" is too many\n'],
    [["--kind", "toml"], 'colos init: --kind is one of ts, json, yaml, not "toml"\n'],
  ])("%j is wrong usage", async (words, line) => {
    const host = procfileHost();

    expect(await runCli(["init", ...words], host)).toBe(2);
    expect(host.stderr.text).toBe(line);
  });
});
