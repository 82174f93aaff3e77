import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ownLogWriter } from "./own-log.ts";

let folder: string;
let path: string;
let fd: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "colos-own-log-"));
  path = join(folder, "daemon");
  fd = openSync(path, "a");
});

afterEach(() => {
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

const lines = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `line ${String(from + index).padStart(3, "0")}`);

describe("ownLogWriter", () => {
  test("keeps a bounded file and one older generation, every line once and in order", () => {
    const write = ownLogWriter(path, { maxBytes: 90, fd });

    for (const line of lines(1, 25)) write(line);

    expect(readFileSync(path, "utf8")).toBe(`${lines(21, 25).join("\n")}\n`);
    expect(readFileSync(`${path}.1`, "utf8")).toBe(`${lines(11, 20).join("\n")}\n`);
  });

  test("stays bounded when the older generation cannot be written", () => {
    mkdirSync(`${path}.1`);
    const write = ownLogWriter(path, { maxBytes: 90, fd });

    for (const line of lines(1, 25)) write(line);

    expect(statSync(path).size).toBeLessThanOrEqual(99);
  });

  test("leaves a file alone that is not where lines go", () => {
    const other = join(folder, "other");
    const write = ownLogWriter(other, { maxBytes: 9, fd });

    for (const line of lines(1, 5)) write(line);

    expect(readFileSync(path, "utf8")).toBe(`${lines(1, 5).join("\n")}\n`);
    expect(existsSync(other)).toBe(false);
  });
});
