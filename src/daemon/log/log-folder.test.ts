import {
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  appendFileSync,
  writeFileSync,
} from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, vi } from "vitest";
import { payloadOf } from "../../../test/system/recorded.ts";
import { test, WrittenLog } from "../../../test/system/folder.ts";
import { rotatedFiles } from "./log-folder.ts";

const numbers = (from: number, count: number): string =>
  Array.from({ length: count }, (_, index) => `${from + index}\n`).join("");

async function linesOf(folder: string): Promise<string[]> {
  return (await payloadOf(folder, "stdout")).toString().trimEnd().split("\n");
}

function sizeOf(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

describe("rotation by size", () => {
  test("keeps every line once and in order, and no file above the size", async ({ folder }) => {
    const log = new WrittenLog(folder, { sizeBytes: 5_000, budgetBytes: 10_000_000 });
    for (let from = 0; from < 10_000; from += 1_000) await log.write(numbers(from, 1_000));
    await log.folder.close();
    expect(await linesOf(folder)).toEqual(Array.from({ length: 10_000 }, (_, index) => String(index)));
    const sizes = readdirSync(folder).map((name) => statSync(join(folder, name)).size);
    expect(sizes.length).toBeGreaterThan(50);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(5_000);
  });

  test("names a file by the time of its first line", async ({ folder }) => {
    const log = new WrittenLog(folder, { sizeBytes: 60 });
    await log.write("first\n");
    await log.write("second\n");
    await log.folder.close();
    expect(readdirSync(folder).toSorted()).toEqual(["20261121T100000.001000Z.log", "current"]);
  });

  test("writes a line that is larger than the size to a file of its own", async ({ folder }) => {
    const log = new WrittenLog(folder, { sizeBytes: 100 });
    await log.write(`short\n${"x".repeat(1_000)}\nshort\n`);
    await log.folder.close();
    expect(await linesOf(folder)).toEqual(["short", "x".repeat(1_000), "short"]);
    expect(readdirSync(folder).length).toBe(3);
  });
});

describe("rotation by age", () => {
  test("begins a new file when the first line is that old", async ({ folder }) => {
    const log = new WrittenLog(folder, { ageMs: 60_000 });
    await log.write("one\n");
    await log.write("two\n", { ms: 59_999 });
    expect(await rotatedFiles(folder)).toHaveLength(0);
    await log.write("three\n", { ms: 1 });
    await log.folder.close();
    expect(await rotatedFiles(folder)).toHaveLength(1);
    expect(await linesOf(folder)).toEqual(["one", "two", "three"]);
  });

  test("knows the age of a file that an earlier recorder began", async ({ folder }) => {
    const first = new WrittenLog(folder, { ageMs: 60_000 });
    await first.write("one\n");
    await first.folder.close();
    const second = new WrittenLog(folder, { ageMs: 60_000 });
    await second.write("two\n", { ms: 70_000 });
    await second.folder.close();
    expect(await rotatedFiles(folder)).toHaveLength(1);
  });
});

describe("budget", () => {
  test("removes the oldest files first and is never exceeded", async ({ folder }) => {
    const log = new WrittenLog(folder, { sizeBytes: 1_000, budgetBytes: 4_000 });
    for (let from = 0; from < 2_000; from += 100) {
      await log.write(numbers(from, 100));
      expect(sizeOf(folder)).toBeLessThanOrEqual(4_000);
    }
    await log.folder.close();
    const lines = (await linesOf(folder)).map(Number);
    expect(lines.at(-1)).toBe(1_999);
    expect(lines).toEqual(Array.from({ length: lines.length }, (_, index) => 2_000 - lines.length + index));
    expect(sizeOf(folder)).toBeGreaterThan(2_000);
  });

  test("keeps what was just written when it is smaller than two files", async ({ folder }) => {
    const log = new WrittenLog(folder, { sizeBytes: 10_000, budgetBytes: 2_000 });
    await log.write(numbers(0, 200));
    await log.folder.close();
    expect(sizeOf(folder)).toBeLessThanOrEqual(2_000);
    expect((await linesOf(folder)).length).toBeGreaterThan(20);
  });

  test("takes new limits with the next line", async ({ folder }) => {
    const log = new WrittenLog(folder, { sizeBytes: 1_000 });
    await log.write(numbers(0, 500));
    log.folder.setLimits({ sizeBytes: 1_000, ageMs: 2 ** 40, budgetBytes: 3_000 });
    await log.write(numbers(500, 30));
    await log.folder.close();
    expect(sizeOf(folder)).toBeLessThanOrEqual(3_000);
  });
});

describe("a recorder that was killed", () => {
  test("between the rename and the new file leaves nothing to repair", async ({ folder }) => {
    const first = new WrittenLog(folder);
    await first.write("one\n");
    await first.folder.close();
    renameSync(join(folder, "current"), join(folder, "20261121T100000.001000Z.log"));
    const second = new WrittenLog(folder);
    await second.write("two\n", { ms: 10 });
    await second.folder.close();
    expect(await linesOf(folder)).toEqual(["one", "two"]);
  });

  test("before the oldest were removed has them removed by the next one", async ({ folder }) => {
    const first = new WrittenLog(folder, { sizeBytes: 1_000, budgetBytes: 1_000_000 });
    await first.write(numbers(0, 300));
    await first.folder.close();
    const second = new WrittenLog(folder, { sizeBytes: 1_000, budgetBytes: 3_000 });
    await second.folder.prepare();
    expect(sizeOf(folder)).toBeLessThanOrEqual(3_000);
    await second.folder.close();
  });

  test("in the middle of a write leaves a line that is ended before the next", async ({ folder }) => {
    const first = new WrittenLog(folder);
    await first.write("whole\nthis is torn\n");
    await first.folder.close();
    const current = join(folder, "current");
    truncateSync(current, statSync(current).size - 5);
    const second = new WrittenLog(folder);
    await second.write("next\n");
    await second.folder.close();
    expect(await linesOf(folder)).toEqual(["whole", "this is ", "next"]);
  });

  test("in the middle of a line's head leaves nothing of that line", async ({ folder }) => {
    const first = new WrittenLog(folder);
    await first.write("whole\n");
    await first.folder.close();
    appendFileSync(join(folder, "current"), "2026-11-21T10:00:00.0");
    const second = new WrittenLog(folder);
    await second.write("next\n");
    await second.folder.close();
    expect(await linesOf(folder)).toEqual(["whole", "next"]);
  });

  test("within a line of the service has the next one go on with that line", async ({ folder }) => {
    const first = new WrittenLog(folder);
    await first.write("half", { rest: "piece" });
    await first.write("other\n", { stream: "stderr" });
    await first.folder.close();
    const second = new WrittenLog(folder);
    await second.write("\n");
    await second.folder.close();
    expect((await payloadOf(folder, "stdout")).toString()).toBe("half\n");
  });
});

test("two runs never share a line", async ({ folder }) => {
  const log = new WrittenLog(folder);
  await log.write("the old run", { rest: "piece" });
  const { LineFormatter } = await import("./cri-format.ts");
  const bytes = Buffer.from("the new run\n");
  const source = { stream: "stdout" as const, formatter: new LineFormatter("stdout") };
  await log.folder.append(source, { bytes, start: 0, end: bytes.length, at: log.folder.now(), rest: "keep" });
  await log.write(" ends late\n");
  await log.folder.close();
  expect(await linesOf(folder)).toEqual(["the old run", "the new run", " ends late"]);
});

test("a current file that somebody removed is made again", async ({ folder }) => {
  const log = new WrittenLog(folder);
  await log.write("one\n");
  rmSync(join(folder, "current"));
  // It looks once in a while.
  while (readdirSync(folder).length === 0) await log.write("more\n");
  await log.folder.close();
  expect(readFileSync(join(folder, "current"), "utf8")).toContain("more\n");
});

test("the time of a line never goes back by less than a second", async ({ folder }) => {
  const log = new WrittenLog(folder);
  const first = log.folder.now();
  log.wallMs -= 500;
  expect(log.folder.now()).toBe(first + 1);
  log.wallMs -= 3_600_000;
  expect(log.folder.now()).toBeLessThan(first);
});

describe("emptying", () => {
  test("removes every file, says what they took, and what comes later is written", async ({ folder }) => {
    const log = new WrittenLog(folder, { sizeBytes: 1_000 });
    await log.write(numbers(0, 200));
    const bytes = sizeOf(folder);
    expect(readdirSync(folder).length).toBeGreaterThan(5);

    expect(await log.folder.empty()).toBe(bytes);
    expect(readdirSync(folder)).toEqual([]);
    expect(await log.folder.empty()).toBe(0);
    await log.write("later\n");
    expect(await linesOf(folder)).toEqual(["later"]);
    await log.folder.close();
  });

  test("loses none of the lines that are written meanwhile", async ({ folder }) => {
    const log = new WrittenLog(folder, { sizeBytes: 3_000 });
    const emptied: Promise<number>[] = [];
    for (let index = 0; index < 50; index++) {
      if (index === 20) emptied.push(log.folder.empty());
      await log.write(numbers(index * 20, 20));
    }
    expect(await emptied[0]).toBeGreaterThan(0);
    const lines = (await linesOf(folder)).map(Number);
    expect(lines[0]).toBeGreaterThan(0);
    expect(lines).toEqual(Array.from({ length: 1_000 - lines[0]! }, (_, index) => lines[0]! + index));
    await log.folder.close();
  });

  test("in the middle of a line keeps the rest of it", async ({ folder }) => {
    const log = new WrittenLog(folder);
    await log.write("begin", { rest: "piece" });
    await log.folder.empty();
    await log.write(" end\nnext\n");
    expect(await linesOf(folder)).toEqual([" end", "next"]);
    await log.folder.close();
  });

  test("on a disk that stays full keeps the whole line whose beginning it took", async ({ folder }) => {
    const log = new WrittenLog(folder);
    await log.write("first\n");
    const handle = await open(join(folder, "current"));
    const full = Object.assign(new Error("the disk is full"), { code: "ENOSPC" });
    const write = vi.spyOn(Object.getPrototypeOf(handle) as Pick<FileHandle, "write">, "write");
    onTestFinished(() => write.mockRestore());
    await handle.close();
    write.mockImplementationOnce(async (buffer) => {
      writeFileSync(join(folder, "current"), (buffer as unknown as Buffer).subarray(0, 4), { flag: "a" });
      return { bytesWritten: 4, buffer };
    });
    write.mockRejectedValueOnce(full).mockRejectedValueOnce(full);

    const written = log.write("second\n");
    await expect.poll(() => log.troubles.length).toBe(1);
    expect(await log.folder.empty()).toBeGreaterThan(4);
    await written;
    expect(await linesOf(folder)).toEqual(["second"]);
    await log.folder.close();
  });

  test("of what nobody has written makes nothing", async ({ folder }) => {
    const log = new WrittenLog(join(folder, "log"));
    expect(await log.folder.empty()).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
  });
});
