/** The command that a failing test prints, as a person pastes it into a shell, in projects of each test runner. */
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect } from "vitest";
import { needsLinux } from "./debian.ts";
import { test, type Place } from "./system/place.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const linux = needsLinux();

/** A shop that does not survive two kills, with a quote in its name. */
const shop = `
  import { child, defineServer, startSupervisor } from "colos";
  import { simulate } from "colos/testing";
  export const check = () => simulate(
    {
      name: "the shop's till",
      async setup(self) {
        const till = defineServer(() => ({ handleCall: () => "done" }));
        await startSupervisor(self, { children: [child("till", till, { name: "till" })] });
        return null;
      },
      eventually: { "it is there": { withinMs: 0, holds: (_, world) => world.whereis("till") !== undefined } },
    },
    { faults: { kill: 1 }, targets: ["till"] },
  );
`;

interface Runner {
  readonly name: string;
  readonly file: string;
  readonly text: string;
  readonly start: readonly string[];
}

const runners: readonly Runner[] = [
  {
    name: "node:test",
    file: "shop.test.js",
    text: 'import { test } from "node:test";\nimport { check } from "./shop.js";\ntest("shop", check);\n',
    start: ["node", "--test", "shop.test.js"],
  },
  {
    name: "vitest",
    file: "shop.test.js",
    text: 'import { test } from "vitest";\nimport { check } from "./shop.js";\ntest("shop", check);\n',
    start: ["npx", "vitest", "run", "shop.test.js"],
  },
  {
    name: "a script",
    file: "script.js",
    text: 'import { check } from "./shop.js";\nawait check();\n',
    start: ["node", "script.js"],
  },
];

/** A project that has colos and vitest installed. */
function project(place: Place, { file, text }: Runner): void {
  place.write("package.json", { type: "module", private: true });
  place.write("shop.js", shop);
  place.write(file, text);
  const modules = join(place.folder, "node_modules");
  mkdirSync(join(modules, ".bin"), { recursive: true });
  symlinkSync(root, join(modules, "colos"));
  symlinkSync(join(root, "node_modules/vitest"), join(modules, "vitest"));
  symlinkSync(join(root, "node_modules/vitest/vitest.mjs"), join(modules, ".bin/vitest"));
}

/** What a shell shows. */
async function shown(place: Place, argv: readonly string[]): Promise<string> {
  const run = place.run(argv, { env: { NO_COLOR: "1" } });
  const { code } = await run.ended;
  expect(code).not.toBe(0);
  return `${run.stdout}${run.stderr}`;
}

/** The lines of the story. */
function storyOf(output: string): string[] {
  return output.split("\n").flatMap((line) => /^ +[\d,.]+ ms {2}.*$/.exec(line)?.[0].trim() ?? []);
}

linux.describe("the command that replays", () => {
  describe.each(runners)("$name", (runner) => {
    test("shows the same story again, of one run", async ({ place }) => {
      project(place, runner);

      const found = await shown(place, runner.start);
      const command = /replay: (.*)/.exec(found)?.[1] ?? "";
      const again = await shown(place, ["sh", "-c", command]);

      expect(command).toMatch(/^COLOS_REPLAY='the shop'\\''s till: kill#\d+=1 kill#\d+=1' \S/);
      expect(storyOf(found).length).toBeGreaterThan(5);
      expect(storyOf(again)).toEqual(storyOf(found));
      expect(again).toContain(command);
      expect(again).not.toContain("decisions");
    });
  });
});

linux.describe("a property to replay that no test has", () => {
  test("is told at the end, with the name that was probably meant", async ({ place }) => {
    project(place, runners[2]!);

    const said = await shown(place, ["sh", "-c", `COLOS_REPLAY="the shops till: none" node script.js`]);

    expect(said).toContain(`COLOS_REPLAY replays "the shops till"; did you mean "the shop's till"?`);
  });
});
