import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { filesIn, filesStruckMax } from "./files-struck.ts";

function place(): string {
  const folder = mkdtempSync(join(tmpdir(), "colos-files-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe("files struck", () => {
  test("are a file itself, or those of a folder and below", () => {
    const folder = place();
    mkdirSync(join(folder, "below"));
    for (const name of ["one", "below/two"]) writeFileSync(join(folder, name), "");

    expect(filesIn(join(folder, "one"))).toEqual([join(folder, "one")]);
    expect(filesIn(folder).toSorted()).toEqual([join(folder, "below/two"), join(folder, "one")]);
    expect(filesIn(folder, process.pid)).toEqual(filesIn(folder));
  });

  test("are none where there is nothing", () => {
    expect(filesIn("/absent/folder")).toEqual([]);
    expect(filesIn("/", 2 ** 30)).toEqual([]);
  });

  test("are no more than the limit", () => {
    const folder = place();
    for (let number = 0; number <= filesStruckMax; number += 1) writeFileSync(join(folder, String(number)), "");

    expect(filesIn(folder)).toHaveLength(filesStruckMax);
  });
});
