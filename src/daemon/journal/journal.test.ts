import { describe, expect, test } from "vitest";
import { FakeSimulatedHost } from "../../../test/fake-simulated-host.ts";
import { listOptions } from "../../../test/journal-list.ts";
import type { FileErrorCode, FileSystem, OpenFile } from "../../base/file-system.ts";
import { readFile, replaceFile } from "../../base/whole-files.ts";
import { SimulatedFileSystem } from "../../sim/sim-file-system.ts";
import { journalHeader, journalLine } from "./journal-lines.ts";
import { JournalError, type Journal, type JournalOptions } from "./journal.ts";
import { openJournal } from "./journal-opening.ts";

type Options = Partial<JournalOptions<readonly string[], string>>;

function open(files: FileSystem, options: Options = {}): Promise<Journal<readonly string[], string>> {
  return openJournal({ ...listOptions, files, path: "journal", ...options });
}

function disk(host: FakeSimulatedHost = new FakeSimulatedHost()): SimulatedFileSystem {
  return new SimulatedFileSystem(host);
}

async function text(files: FileSystem, path = "journal"): Promise<string> {
  return new TextDecoder().decode(await readFile(files, path));
}

async function put(files: FileSystem, content: string): Promise<void> {
  await replaceFile(files, "journal", new TextEncoder().encode(content));
}

/** A journal with these entries, each appended with its own sync. */
async function withEntries(files: FileSystem, ...entries: string[]): Promise<void> {
  const journal = await open(files);
  for (const entry of entries) await journal.append([entry], { sync: true });
  await journal.close();
}

async function errorOf(outcome: Promise<unknown>): Promise<unknown> {
  return outcome.then(
    () => expect.unreachable("it was to be refused"),
    (error: unknown) => error,
  );
}

/** Counts syncs of files; a test may let them wait. */
function countingSyncs(files: FileSystem): { readonly files: FileSystem; count: number } {
  const counted: { readonly files: FileSystem; count: number } = {
    count: 0,
    files: new Proxy(files, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (key !== "open") return typeof value === "function" ? value.bind(target) : value;
        return async (...args: Parameters<FileSystem["open"]>): Promise<OpenFile> => {
          const file = await target.open(...args);
          const { sync } = file;
          file.sync = () => {
            counted.count += 1;
            return sync.call(file);
          };
          return file;
        };
      },
    }),
  };
  return counted;
}

describe("journal", () => {
  test("what was appended is there when it is opened again, in order", async () => {
    const files = disk();
    const journal = await open(files);
    await journal.append(["a", "b"], { sync: true });
    await journal.append(["c"], { sync: false });
    await journal.close();

    const again = await open(files);

    expect(again.state).toEqual(["a", "b", "c"]);
    expect(again.recovery).toEqual({ entriesCount: 3, cutBytes: 0 });
  });

  test("a person can read the file", async () => {
    const files = disk();
    await withEntries(files, "up", "down");

    expect((await text(files)).replaceAll(/^[0-9a-f]{8} /gm, "")).toBe(
      '1 0 0 {"journal":1,"version":1}\n1 1 0 "up"\n1 2 1 "down"\n',
    );
  });

  test("the state is what a reader folds: entries go through JSON and decode", async () => {
    const at = new Date(0);
    const journal = await openJournal<readonly unknown[], unknown>({
      ...{ files: disk(), path: "journal", version: 1, initial: [] },
      fold: (state, entry) => [...state, entry],
      snapshot: (state) => state,
      decode: (value) => value,
    });

    await journal.append([{ at, nothing: undefined }], { sync: true });

    expect(journal.state).toStrictEqual([{ at: at.toJSON() }]);
  });

  test("appends that wait while a sync is under way share the next", async () => {
    const counting = countingSyncs(disk());
    const journal = await open(counting.files);
    counting.count = 0;

    const first = journal.append(["0"], { sync: true });
    await Promise.resolve();
    await Promise.resolve();
    const rest = Array.from({ length: 100 }, (_, index) => journal.append([String(index + 1)], { sync: true }));
    await Promise.all([first, ...rest]);

    expect(counting.count).toBe(2);
    expect(journal.state).toEqual(Array.from({ length: 101 }, (_, index) => String(index)));
  });

  test("an entry that does not fold is refused alone, and nothing of it is written", async () => {
    const files = disk();
    const fold = (state: readonly string[], entry: string): readonly string[] => {
      if (entry === "wrong") throw new Error("this cannot be");
      return [...state, entry];
    };
    const journal = await open(files, { fold });

    const outcomes = await Promise.allSettled(
      ["a", "wrong", "b"].map((entry) => journal.append([entry], { sync: true })),
    );

    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(journal.state).toEqual(["a", "b"]);
    expect(await text(files)).not.toContain("wrong");
  });

  test("a full disk refuses, changes nothing, and takes again when there is room", async () => {
    const host = new FakeSimulatedHost();
    const files = disk(host);
    const journal = await open(files);
    await journal.append(["a"], { sync: true });

    host.strike = (fault) => fault === "enospc";
    expect(await errorOf(journal.append(["b"], { sync: true }))).toMatchObject({ code: "ENOSPC" });
    expect(journal.state).toEqual(["a"]);
    host.strike = () => false;
    await journal.append(["c"], { sync: true });

    expect((await open(files)).state).toEqual(["a", "c"]);
  });

  test("after a failed sync everything is written to a new file", async () => {
    const host = new FakeSimulatedHost();
    const files = disk(host);
    const journal = await open(files);
    await journal.append(["a"], { sync: true });
    let failures = 1;
    host.strike = (fault) => fault === "eio-fsync-once" && (failures -= 1) >= 0;

    await journal.append(["b"], { sync: true });
    files.crash("power-loss");

    expect((await open(files)).state).toEqual(["a", "b"]);
    expect(await text(files)).toMatch(/^[0-9a-f]{8} 3 /);
  });

  test("when that fails too the append rejects, and the next one writes everything anew", async () => {
    const host = new FakeSimulatedHost();
    const files = disk(host);
    const journal = await open(files);
    await journal.append(["a"], { sync: true });
    host.strike = (fault) => fault === "eio-fsync-once";

    expect(await errorOf(journal.append(["b"], { sync: true }))).toMatchObject({ code: "EIO" });
    expect(journal.state).toEqual(["a"]);
    host.strike = () => false;
    await journal.append(["c"], { sync: true });
    files.crash("power-loss");

    expect((await open(files)).state).toEqual(["a", "c"]);
  });

  test("it opens on a full disk, says so, and takes appends when there is room", async () => {
    const host = new FakeSimulatedHost();
    const files = disk(host);
    await withEntries(files, "a");

    host.strike = (fault) => fault === "enospc";
    const journal = await open(files);
    expect(journal.state).toEqual(["a"]);
    expect(journal.recovery.problem).toBe("cannot write to journal.new: the disk is full (ENOSPC)");
    expect(await errorOf(journal.append(["b"], { sync: true }))).toMatchObject({ code: "ENOSPC" });
    host.strike = () => false;
    await journal.append(["c"], { sync: true });

    expect((await open(files)).state).toEqual(["a", "c"]);
  });

  test("it is written anew as a snapshot when it has grown", async () => {
    const files = disk();
    const journal = await open(files, {
      fold: (state, entry) => [...state, entry].slice(-2),
      limits: { compactAtBytes: 2_000 },
    });

    let largestBytes = 0;
    for (let index = 0; index < 500; index += 1) {
      await journal.append([`${index}`.padEnd(50, ".")], { sync: true });
      largestBytes = Math.max(largestBytes, (await files.stat("journal")).sizeBytes);
    }

    expect(largestBytes).toBeGreaterThan(1_900);
    expect(largestBytes).toBeLessThan(2_200);
    expect((await open(files)).state.slice(-2)).toEqual(journal.state);
  });

  test("a snapshot that could not be read again is never written", async () => {
    const files = disk();
    const snapshot = (state: readonly string[]): string[] => state.map((_, index) => index as unknown as string);
    const journal = await open(files, { snapshot, limits: { compactAtBytes: 100 } });

    for (const entry of ["a", "b", "c"]) await journal.append([entry.padEnd(100)], { sync: true });

    expect((await open(files)).state).toEqual(journal.state);
  });
});

describe("journal: damage", () => {
  test("a tail that was not finished is cut off and reported", async () => {
    const files = disk();
    await withEntries(files, "a", "b");
    const whole = await text(files);
    await put(files, `${whole}${journalLine(1, 3, 2, '"c"').slice(0, -4)}`);

    const journal = await open(files);

    expect(journal.state).toEqual(["a", "b"]);
    expect(journal.recovery).toEqual({ entriesCount: 2, cutBytes: journalLine(1, 3, 2, '"c"').length - 4 });
  });

  test("a tail whose earlier write is missing and whose later one is there is cut off too", async () => {
    const files = disk();
    await withEntries(files, "a");
    const whole = await text(files);
    await put(files, `${whole}${"\0".repeat(20)}\n${journalLine(1, 3, 1, '"c"')}`);

    expect((await open(files)).state).toEqual(["a"]);
  });

  test("lines of an older file that come back behind the end are cut off", async () => {
    const files = disk();
    await put(files, journalHeader(7, 1, 1) + journalLine(7, 1, 1, '"a"') + journalLine(6, 2, 1, '"old"'));

    expect((await open(files)).state).toEqual(["a"]);
  });

  for (const [what, damage] of Object.entries<(lines: string[]) => void>({
    "a letter that is another": (lines) => (lines[2] = lines[2]!.replace("bb", "bx")),
    "a line that is gone": (lines) => lines.splice(2, 1),
    "a line that is there twice": (lines) => lines.splice(2, 0, lines[1]!),
    "the end that is gone": (lines) => lines.splice(2, 2),
  })) {
    test(`${what} in what was synced is refused with the file and the line`, async () => {
      const files = disk();
      await withEntries(files, "aa", "bb", "cc");
      // Opened again: all three stand in the snapshot.
      await (await open(files)).close();
      const lines = (await text(files)).split("\n").slice(0, -1);
      damage(lines);
      const damaged = `${lines.join("\n")}\n`;
      await put(files, damaged);

      const error = await errorOf(open(files));

      expect(error).toBeInstanceOf(JournalError);
      expect((error as Error).message).toMatch(
        /^journal is damaged in line 3, in what the disk had promised to keep: /,
      );
      expect(await text(files)).toBe(damaged);
    });
  }

  test("a file without a header is refused, an empty one too", async () => {
    const files = disk();
    for (const content of ["", "hello\n"]) {
      await put(files, content);
      expect(await errorOf(open(files))).toMatchObject({ code: "damaged", message: /line 1,/ });
    }
  });

  test("salvage opens with what is whole and keeps the damaged file", async () => {
    const files = disk();
    await withEntries(files, "aa", "bb", "cc");
    const damaged = (await text(files)).replace("bb", "bx");
    await put(files, damaged);

    const journal = await open(files, { salvage: true });

    expect(journal.state).toEqual(["aa", "cc"]);
    expect(journal.recovery).toEqual({ entriesCount: 2, cutBytes: 0, damagedFile: "journal.damaged-1" });
    expect(await text(files, "journal.damaged-1")).toBe(damaged);
    expect((await open(files)).state).toEqual(["aa", "cc"]);
  });
});

describe("journal: versions", () => {
  test("a journal of a newer version is refused and stays as it is", async () => {
    const files = disk();
    await (await open(files, { version: 4 })).close();
    const before = await text(files);

    const error = await errorOf(open(files, { version: 3 }));

    expect(error).toMatchObject({ code: "newer" });
    expect((error as Error).message).toBe(
      "journal was written by a newer colos (format 1, version 4; this one knows format 1, version 3): " +
        "start that colos again, or move the file away to begin without it",
    );
    expect(await text(files)).toBe(before);
  });

  test("a journal of an older version is decoded as such, once", async () => {
    const files = disk();
    await withEntries(files, "a");
    const versions: number[] = [];
    const decode = (value: unknown, version: number): string => {
      versions.push(version);
      return version === 1 ? `${String(value)} (old)` : String(value);
    };

    expect((await open(files, { version: 2, decode })).state).toEqual(["a (old)"]);
    expect((await open(files, { version: 2, decode })).state).toEqual(["a (old)"]);
    expect(new Set(versions.slice(1))).toEqual(new Set([2]));
  });

  test("a whole line that makes no sense is refused with the file and the line", async () => {
    const files = disk();
    await put(files, journalHeader(1, 1, 1) + journalLine(1, 1, 1, "42"));

    expect(await errorOf(open(files))).toMatchObject({
      code: "invalid",
      message: "line 2 of journal makes no sense to this colos: 42 is no text",
    });
  });
});

describe("journal: limits", () => {
  test("an entry that is too long is refused", async () => {
    const journal = await open(disk(), { limits: { entryMaxChars: 10 } });

    await journal.append(["x".repeat(8)], { sync: true });
    expect(await errorOf(journal.append(["x".repeat(9)], { sync: true }))).toMatchObject({ code: "limit" });
  });

  test("more waiting appends than there may be are refused", async () => {
    const journal = await open(disk(), { limits: { waitingMax: 3 } });

    const outcomes = await Promise.allSettled(
      ["a", "b", "c", "d"].map((entry) => journal.append([entry], { sync: true })),
    );

    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled", "rejected"]);
    expect(outcomes[3]).toMatchObject({ reason: { code: "limit" } });
  });

  test("what is no JSON is refused", async () => {
    const journal = await open(disk());

    expect(await errorOf(journal.append([undefined as unknown as string], { sync: true }))).toMatchObject({
      code: "invalid",
    });
  });

  test("a closed one takes nothing", async () => {
    const journal = await open(disk());
    const last = journal.append(["a"], { sync: true });
    await journal.close();

    await last;
    expect(await errorOf(journal.append(["b"], { sync: true }))).toMatchObject({ code: "closed" });
  });

  test("a directory that is not there is the file system's error", async () => {
    const code: FileErrorCode = "ENOENT";

    expect((await open(disk(), { path: "none/journal" })).recovery.problem).toContain(code);
  });
});
