import { readFileSync, rmSync, writeFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { test, WrittenLog } from "../../../test/system/folder.ts";
import { nodePlatform } from "../../platforms/node/node-platform.ts";
import { homeAt, logFolder, type Home } from "../home.ts";
import { joinedBytesMax } from "./line-joiner.ts";
import { lastLines, readLogs } from "./read-logs.ts";
import type { LogEntry, LogQuery, LogSelection } from "../../control/log.ts";

const { clock } = nodePlatform();

async function read(home: Home, query: LogQuery = {}, selection: LogSelection[] = [{}]): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const entry of readLogs(home, selection, query, { clock })) entries.push(entry);
  return entries;
}

async function texts(home: Home, query: LogQuery = {}, selection: LogSelection[] = [{}]): Promise<string[]> {
  return (await read(home, query, selection)).map(({ text }) => text);
}

function logOf(home: Home, name = "web.1", limits: ConstructorParameters<typeof WrittenLog>[1] = {}): WrittenLog {
  const [service = "", instance] = name.split(".");
  return new WrittenLog(logFolder(home, service, Number(instance)), limits);
}

const numbers = (from: number, count: number): string =>
  Array.from({ length: count }, (_, index) => `${from + index}\n`).join("");
const expected = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => String(from + index));

describe("what was written", () => {
  test("is read with its time, stream and instance", async ({ folder }) => {
    const home = homeAt(folder);
    const log = logOf(home);
    await log.write("out\n");
    await log.write("err\r\n", { stream: "stderr" });
    const { wallMs } = log;
    expect(await read(home)).toEqual([
      { service: "web", instance: 1, stream: "stdout", at: wallMs - 1, text: "out" },
      { service: "web", instance: 1, stream: "stderr", at: wallMs, text: "err" },
    ]);
    await log.folder.close();
  });

  test("is merged by time, of the instances that are asked for", async ({ folder }) => {
    const home = homeAt(folder);
    const [one, two, other] = [logOf(home, "web.1"), logOf(home, "web.2"), logOf(home, "db.1")];
    two.wallMs += 1;
    other.wallMs += 2;
    for (let round = 0; round < 50; round++) {
      for (const [index, log] of [one, two, other].entries()) await log.write(`${round} ${index}\n`, { ms: 3 });
    }
    const all = Array.from({ length: 150 }, (_, index) => `${Math.floor(index / 3)} ${index % 3}`);
    expect(await texts(home)).toEqual(all);
    expect(await texts(home, {}, [{ service: "web" }])).toEqual(all.filter((text) => !text.endsWith(" 2")));
    expect(await texts(home, {}, [{ service: "web", instance: 2 }])).toEqual(all.filter((text) => text.endsWith(" 1")));
    expect(await texts(home, { linesMax: 2 })).toEqual(all.slice(-6));
    for (const log of [one, two, other]) await log.folder.close();
  });

  test("is joined from its pieces, forwards and backwards", async ({ folder }) => {
    const home = homeAt(folder);
    const log = logOf(home, "web.1", { sizeBytes: 20_000 });
    const long = "é".repeat(40_000);
    await log.write("an");
    await log.write(" err\n", { stream: "stderr" });
    await log.write(` end\n${long}\nlast`, { rest: "piece" });
    const all = [" err", "an end", long, "last"];
    expect(await texts(home)).toEqual(all);
    expect(await texts(home, { linesMax: 10 })).toEqual(all);
    expect(await texts(home, { linesMax: 2 })).toEqual(all.slice(2));
    await log.folder.close();
  });

  test("is read of those whose names match", async ({ folder }) => {
    const home = homeAt(folder);
    const logs = ["web.1", "web.2", "worker.2", "db.1"].map((name) => [name, logOf(home, name)] as const);
    for (const [name, log] of logs) await log.write(`${name}\n`);
    expect((await texts(home, {}, [{ pattern: "w*" }])).toSorted()).toEqual(["web.1", "web.2", "worker.2"]);
    expect((await texts(home, {}, [{ pattern: "*.2" }, { service: "db" }])).toSorted()).toEqual([
      "db.1",
      "web.2",
      "worker.2",
    ]);
    for (const [, log] of logs) await log.folder.close();
  });

  test("of what is gone is read when it is named or asked for", async ({ folder }) => {
    const home = homeAt(folder);
    const logs = ["web.1", "web.2", "old.1"].map((name) => [name, logOf(home, name)] as const);
    for (const [name, log] of logs) await log.write(`${name}\n`);
    for (const name of ["web/2", "old/1"]) writeFileSync(join(home.services, name, "state"), "removed\n");
    expect(await texts(home)).toEqual(["web.1"]);
    expect((await texts(home, {}, [{ gone: true }])).toSorted()).toEqual(["old.1", "web.2"]);
    expect(await texts(home, {}, [{ pattern: "o*" }])).toEqual(["old.1"]);
    for (const [, log] of logs) await log.folder.close();
  });

  test("is shown in parts when a line is too long", async ({ folder }) => {
    const home = homeAt(folder);
    const log = logOf(home);
    const long = "x".repeat(joinedBytesMax + 100_000);
    await log.write(`${long}\n`);
    const parts = await texts(home);
    expect(parts.length).toBe(2);
    expect(parts.join("")).toBe(long);
    await log.folder.close();
  });

  test("is found by time across rotated files", async ({ folder }) => {
    const home = homeAt(folder);
    const log = logOf(home, "web.1", { sizeBytes: 500 });
    const start = log.wallMs;
    for (let index = 1; index <= 100; index++) await log.write(`${index}\n`);
    expect(await texts(home, { sinceAt: start + 40, untilAt: start + 60 })).toEqual(expected(40, 21));
    expect(await texts(home, { sinceAt: start + 40, linesMax: 1_000 })).toEqual(expected(40, 61));
    expect(await texts(home, { untilAt: start + 60, linesMax: 5 })).toEqual(expected(56, 5));
    await log.folder.close();
  });

  test("is filtered by stream, text, expression and level, and counted after that", async ({ folder }) => {
    const home = homeAt(folder);
    const log = logOf(home);
    await log.write('{"level":50,"msg":"bad"}\nINFO fine\nWARN soon\nno level\n');
    await log.write("error: stderr\n", { stream: "stderr" });
    expect(await texts(home, { stream: "stderr" })).toEqual(["error: stderr"]);
    expect(await texts(home, { level: "warn" })).toEqual(['{"level":50,"msg":"bad"}', "WARN soon", "error: stderr"]);
    expect(await texts(home, { level: "warn", linesMax: 2 })).toEqual(["WARN soon", "error: stderr"]);
    expect(await texts(home, { grep: "fin" })).toEqual(["INFO fine"]);
    expect(await texts(home, { grep: "/^(info|warn) \\w+$/ig" })).toEqual(["INFO fine", "WARN soon"]);
    expect(() => readLogs(home, [{}], { grep: "/(/" }, { clock })).toThrow("/(/ is no regular expression");
    await log.folder.close();
  });

  test("is nothing where nothing was written", async ({ folder }) => {
    expect(await texts(homeAt(folder))).toEqual([]);
    expect(await lastLines(homeAt(folder), "web", 1, "stderr", 5)).toEqual([]);
  });

  test("is shown as it stands when another program wrote it", async ({ folder }) => {
    const home = homeAt(folder);
    const directory = logFolder(home, "web", 1);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "current"), "2026-11-21T10:00:00.123456789+00:00 stdout F ok\nwhat is this\n");
    expect(await texts(home)).toEqual(["ok", "what is this"]);
    expect(await texts(home, { linesMax: 1 })).toEqual(["what is this"]);
  });

  test("is read from its end alone for the last lines of a large file", { timeout: 60_000 }, async ({ folder }) => {
    const home = homeAt(folder);
    const log = logOf(home);
    await log.write("an old error\n", { stream: "stderr" });
    await log.write("x".repeat(16_000) + "\n".repeat(2));
    const block = `${"x".repeat(99)}\n`.repeat(10_000);
    for (let written = 0; written < 100_000_000; written += block.length) await log.write(block);
    await log.write("the last error\n", { stream: "stderr" });
    await log.write(numbers(0, 10));
    const before = readBytes();
    expect(await texts(home, { linesMax: 10 })).toEqual(expected(0, 10));
    expect(await lastLines(home, "web", 1, "stdout", 3)).toEqual(["7", "8", "9"]);
    expect(await lastLines(home, "web", 1, "stderr", 1)).toEqual(["the last error"]);
    expect(readBytes() - before).toBeLessThan(1_500_000);
    await log.folder.close();
  });
});

/** What this OS process has read so far. */
function readBytes(): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
}

describe("following", () => {
  test("gives what is there and what comes, across rotations", async ({ folder }) => {
    const home = homeAt(folder);
    const log = logOf(home, "web.1", { sizeBytes: 2_000 });
    await log.write(numbers(0, 100));
    const following = follow(home, { follow: true, linesMax: 5 });
    for (let from = 100; from < 1_000; from += 100) {
      await log.write(numbers(from, 100));
      if (from % 300 === 0) await following.until(String(from + 99));
    }
    await following.until("999");
    expect(following.texts).toEqual(expected(Number(following.texts[0]), 1_000 - Number(following.texts[0])));
    expect(Number(following.texts[0])).toBeLessThanOrEqual(995);
    await following.end();
    await log.folder.close();
  });

  test("goes on when the files are removed, and with instances that come", async ({ folder }) => {
    const home = homeAt(folder);
    const first = logOf(home, "web.1");
    await first.write("one\n");
    const following = follow(home, { follow: true }, [{ service: "web" }]);
    await following.until("one");
    await first.folder.close();
    rmSync(join(home.services, "web"), { recursive: true });
    const [again, second, other] = [logOf(home, "web.1"), logOf(home, "web.2"), logOf(home, "db.1")];
    again.wallMs += 10_000;
    await other.write("another service\n");
    await again.write("two\n");
    await following.until("two");
    await second.write("three\n");
    await following.until("three");
    expect(following.texts).toEqual(["one", "two", "three"]);
    await following.end();
    for (const log of [again, second, other]) await log.folder.close();
  });

  test("ends at once, also while nothing comes", async ({ folder }) => {
    const following = follow(homeAt(folder), { follow: true });
    await following.end();
    expect(following.texts).toEqual([]);
  });
});

/** A follower that gathers what it is given. */
function follow(
  home: Home,
  query: LogQuery,
  selection: LogSelection[] = [{}],
): {
  readonly texts: string[];
  readonly until: (text: string) => Promise<void>;
  readonly end: () => Promise<void>;
} {
  const texts: string[] = [];
  const waiters: { readonly text: string; readonly resolve: () => void }[] = [];
  const iterator = readLogs(home, selection, query, { clock })[Symbol.asyncIterator]();
  const reading = (async () => {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      texts.push(next.value.text);
      for (const { text, resolve } of waiters) if (texts.includes(text)) resolve();
    }
  })();
  return {
    texts,
    until: (text) =>
      new Promise((resolve) => {
        if (texts.includes(text)) resolve();
        else waiters.push({ text, resolve });
      }),
    end: async () => {
      await iterator.return?.();
      await reading;
    },
  };
}
