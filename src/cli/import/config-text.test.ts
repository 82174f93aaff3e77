import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { configs } from "../../../test/plan-arbitraries.ts";
import type { SystemConfig } from "../../control/config.ts";
import { configText, configTextKind } from "./config-text.ts";

/** What `export default defineConfig(…)` gives. */
function evaluated(text: string): unknown {
  const [, expression] = /export default defineConfig\((.*)\);\n$/s.exec(text)!;
  return new Function(`return (${expression});`)() as unknown;
}

describe("config text", () => {
  test.each([
    ["a.ts", "ts"],
    ["a.mjs", "js"],
    ["dir/a.yml", "yaml"],
    ["a.toml", undefined],
    ["yaml", undefined],
  ])("%s is of the kind %s", (path, kind) => {
    expect(configTextKind(path)).toBe(kind);
  });

  test("every kind means the same when it is read back", () => {
    fc.assert(
      fc.property(configs, (written) => {
        const config = written as unknown as SystemConfig;

        expect(JSON.parse(configText(config, "json"))).toEqual(config);
        expect(parse(configText(config, "yaml"))).toEqual(config);
        expect(evaluated(configText(config, "ts"))).toEqual(config);
      }),
    );
  });

  test("names that objects inherit are ordinary names", () => {
    const env = JSON.parse('{"__proto__":"a","constructor":"b"}') as Record<string, string>;

    const back = evaluated(configText({ services: { web: { command: ["web"], env } } }, "js")) as SystemConfig;

    expect(Object.entries(back.services["web"]!.env!)).toEqual([
      ["__proto__", "a"],
      ["constructor", "b"],
    ]);
  });
});
