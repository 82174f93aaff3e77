import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { SpareFifos, sparesMax, sparesMin } from "./spare-fifos.ts";

function place(): { folder: string; pathOf(name: string): string } {
  const root = mkdtempSync(join(tmpdir(), "colos-spare-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const folder = join(root, "spare");
  mkdirSync(folder);
  return { folder, pathOf: (name) => join(root, name) };
}

async function filled(folder: string, path = process.env["PATH"]!): Promise<SpareFifos> {
  const spare = new SpareFifos(folder, path);
  spare.fill();
  await spare.close();
  return spare;
}

describe("spare FIFOs", () => {
  test("are given by rename, each once", async () => {
    const { folder, pathOf } = place();
    const spare = await filled(folder);

    expect(spare.take(["a", "b"].map(pathOf))).toBe(true);

    expect(["a", "b"].map((name) => statSync(pathOf(name)).isFIFO())).toEqual([true, true]);
    expect(statSync(pathOf("a")).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toHaveLength(sparesMax - 2);
  });

  test("are made again when they are few, and never more than sparesMax", async () => {
    const { folder, pathOf } = place();
    const spare = await filled(folder);

    const paths = Array.from({ length: sparesMax - sparesMin + 1 }, (_, at) => pathOf(String(at)));
    expect(spare.take(paths)).toBe(true);
    await spare.close();

    expect(readdirSync(folder)).toHaveLength(sparesMax);
  });

  test("are none before they are made, and then nothing is at the paths", () => {
    const { folder, pathOf } = place();
    const spare = new SpareFifos(folder, "/nonexistent");

    expect(spare.take([pathOf("a")])).toBe(false);
    expect(() => statSync(pathOf("a"))).toThrow("ENOENT");
  });

  test("of an earlier daemon are used, without mkfifo", async () => {
    const { folder, pathOf } = place();
    await filled(folder);

    const next = await filled(folder, "/nonexistent");

    expect(next.take([pathOf("a")])).toBe(true);
  });

  test("that somebody has removed are not given, and nothing stays at the other paths", async () => {
    const { folder, pathOf } = place();
    const spare = await filled(folder);
    const kept = readdirSync(folder).at(-1)!;
    for (const name of readdirSync(folder)) if (name !== kept) rmSync(join(folder, name));

    expect(spare.take(["a", "b"].map(pathOf))).toBe(false);

    await spare.close();
    expect(["a", "b"].filter((name) => statSync(pathOf(name), { throwIfNoEntry: false }) !== undefined)).toEqual([]);
  });
});
