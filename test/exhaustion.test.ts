/**
 * What colos itself is short of, for a few seconds each; `npm run exhaustion` does it for 60 s each. What must hold is in
 * exhaustion/exhaust.ts: nobody fails or is restarted because of it, nothing is lost, `ps` answers, and people are told.
 */
import { rmSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { needsLinux } from "./debian.ts";
import { exhaust, type ExhaustOptions } from "./exhaustion/exhaust.ts";
import { kinds } from "./exhaustion/kinds.ts";
import type { Operator } from "./exhaustion/operator.ts";
import type { Watcher } from "./exhaustion/watcher.ts";
import { turn } from "./system/turn.ts";

const dist = new URL("../dist/", import.meta.url);
const linux = needsLinux();

/** A part of the shortage: until somebody has asked, and done something. */
async function third(watcher: Watcher, operator: Operator): Promise<void> {
  const [asked, done] = [watcher.psMs.length, operator.operationsCount];
  while (watcher.psMs.length < asked + 4 || (!operator.isOver && operator.operationsCount < done + 1)) await turn();
}

const kindNamed = (name: string): ExhaustOptions["kind"] => kinds.find((kind) => kind.name === name)!;

linux.describe("what colos itself is short of", () => {
  for (const kind of kinds) {
    const title = `${kind.about}: nobody fails because of it, nothing is lost, and ps answers`;
    test(title, { timeout: 120_000 }, async ({ skip }) => {
      const absent = kind.absent(dist);
      if (absent !== undefined) skip(absent);

      // The clock of a machine that runs a whole suite judges nobody; `npm run exhaustion` does.
      const { problems } = await exhaust({ dist, kind, third, isUntimed: true });

      expect(problems).toEqual([]);
    });
  }
});

describe("the checks can fail", () => {
  const kind = kindNamed("streams-closed");

  linux.test(
    "a log that was cut, a fact that nobody told and a service that is gone are found",
    async () => {
      const sabotage: ExhaustOptions["sabotage"] = (system) => {
        system.addFact("code crasher.1.999 5");
        for (const file of system.logFiles("logger", 1)) rmSync(file);
      };
      const { problems } = await exhaust({ dist, kind, third, sabotage, isUntimed: true });
      expect(problems.join("\n")).toMatch(/crasher\.1\.999 ended with 5, and nobody knows how/);
      expect(problems.join("\n")).toMatch(/logger\.1\.1 .*: line \d+ where 1 is due/);
    },
    120_000,
  );
});
