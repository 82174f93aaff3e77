import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect } from "vitest";
import { test, WrittenLog } from "../../../test/system/folder.ts";
import { homeAt, logFolder } from "../home.ts";
import { blankLinesMax, glance, glanceBytes, lastLine } from "./last-line.ts";
import { pieceBytesMax } from "./cri-format.ts";
import { lastLines } from "./read-logs.ts";

describe("the last line", () => {
  test("is told at a glance when it is short and whole", async ({ folder }) => {
    const log = new WrittenLog(folder);
    await log.write("first\r\n");
    expect(glance(folder)).toEqual({ text: "first" });
    await log.write("second\n", { stream: "stderr" });
    expect(glance(folder)).toEqual({ text: "second" });
    await log.folder.close();
  });

  test("is none where nothing was written", async ({ folder }) => {
    const home = homeAt(folder);
    expect(await lastLine(home, "web", 1)).toBeUndefined();
    const log = new WrittenLog(logFolder(home, "web", 1));
    await log.write("");
    expect(glance(log.folder.directory)).toEqual({ text: undefined });
    expect(await lastLine(home, "web", 1)).toBeUndefined();
    await log.folder.close();
  });

  test("is looked for with care when it is longer than a glance, in pieces, or before blank ones", async ({
    folder,
  }) => {
    const home = homeAt(folder);
    const log = new WrittenLog(logFolder(home, "web", 1));
    const { directory } = log.folder;
    for (const text of ["x".repeat(glanceBytes), "y".repeat(pieceBytesMax + 1)]) {
      await log.write(`${text}\n`);
      expect(glance(directory)).toBeUndefined();
      expect(await lastLine(home, "web", 1)).toBe(text);
    }
    await log.write("told\n");
    await log.write("\n".repeat(blankLinesMax - 1));
    expect(glance(directory)).toBeUndefined();
    expect(await lastLine(home, "web", 1)).toBe("told");
    await log.write("\n");
    expect(await lastLine(home, "web", 1)).toBeUndefined();
    writeFileSync(join(directory, "current"), "no line of ours\n");
    expect(glance(directory)).toBeUndefined();
    await log.folder.close();
  });

  test("is the same both ways, whatever was written", async ({ folder }) => {
    const write = fc.record({
      text: fc.stringMatching(/^([a-c \r]{0,4}\n){0,3}[a-c ]?$/),
      stream: fc.constantFrom("stdout" as const, "stderr" as const),
      rest: fc.constantFrom("keep" as const, "keep" as const, "piece" as const, "end" as const),
    });
    let [number, toldCount] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 12 }), async (writes) => {
        const home = homeAt(folder);
        const instance = ++number;
        const log = new WrittenLog(logFolder(home, "web", instance), { sizeBytes: 200 });
        for (const { text, ...how } of writes) await log.write(text, how);
        const seen = glance(log.folder.directory);
        const careful = (await lastLines(home, "web", instance, undefined, 1)).at(-1);
        expect(seen ?? { text: careful }).toEqual({ text: careful });
        if (seen?.text !== undefined) toldCount += 1;
        await log.folder.close();
      }),
      { seed: 11, numRuns: 300 },
    );
    expect(toldCount).toBeGreaterThan(50);
  });
});
