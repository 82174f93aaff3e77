import { describe, expect, test } from "vitest";
import { FakeSimulatedHost, type Strike } from "../../test/fake-simulated-host.ts";
import { FileError, parentOf, type OpenFile, type OpenOptions } from "../base/file-system.ts";
import { appendAll, makeDirectories, readAll, readFile, replaceFile, writeAll } from "../base/whole-files.ts";
import type { FaultName } from "../faults/fault.ts";
import { testFileSystem } from "../testing/file-system-contract.ts";
import { FixedChoices, SeededChoices, type Choices } from "./choices.ts";
import { unsyncedChangesMax } from "./sim-directory.ts";
import { capacityBytesDefault, SimulatedFileSystem, type SimulatedFileSystemOptions } from "./sim-file-system.ts";
import { sectorBytes, unsyncedWritesMax } from "./sim-file.ts";

describe("simulated file system", () => {
  testFileSystem({ system: () => ({ files: new SimulatedFileSystem(new FakeSimulatedHost()) }), test });
});

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const bytes = (text: string): Uint8Array => encoder.encode(text);
const textOf = (found: Uint8Array | undefined): string | undefined => found && decoder.decode(found);

const creating: OpenOptions = { read: true, write: true, create: true };

/** A disk, and the host that says what strikes it. */
function machine(strike?: Strike, options?: SimulatedFileSystemOptions, choices?: Choices) {
  const host = new FakeSimulatedHost(strike, choices);
  return { host, files: new SimulatedFileSystem(host, options) };
}

/** The choices of a power loss; everything else stays as it is. */
const chosen = (values: Readonly<Record<string, number | readonly number[]>>): Choices =>
  new FixedChoices(
    Object.entries(values).flatMap(([stream, given]) =>
      [given].flat().map((value, index) => ({ stream: `power-loss.${stream}`, index, value })),
    ),
  );

/** A file with synced bytes and a synced name, open. */
async function syncedFile(files: SimulatedFileSystem, path: string, text: string): Promise<OpenFile> {
  const file = await files.open(path, creating);
  await writeAll(file, bytes(text), 0);
  await file.sync();
  await files.syncDirectory(parentOf(path));
  return file;
}

/** The code that an attempt fails with. */
async function codeOf(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => "worked",
    (error: unknown) => (error instanceof FileError ? error.code : error),
  );
}

/** Strikes once, with a severity. */
function once(fault: FaultName, severity: number | true = true): Strike {
  let isLeft = true;
  return (asked) => {
    if (asked !== fault || !isLeft) return false;
    isLeft = false;
    return severity;
  };
}

describe("simulated file system: faults", () => {
  test("enospc takes a part, and the next write is told why", async () => {
    const { host, files } = machine();
    const file = await files.open("log", creating);
    host.strike = once("enospc", 3);

    expect(await file.write(bytes("hello"), 0)).toBe(3);
    expect(await codeOf(file.write(bytes("lo"), 3))).toBe("ENOSPC");
    expect(await file.write(bytes("lo"), 3)).toBe(2);

    expect(textOf(files.peek("log"))).toBe("hello");
    expect(host.told).toEqual(["log: finds the disk full after 3 of 5 bytes (enospc)"]);
  });

  test("enospc of the mildest kind takes nothing and says so at once", async () => {
    const { host, files } = machine();
    const file = await files.open("log", creating);
    host.strike = once("enospc");

    expect(await codeOf(file.write(bytes("hello"), 0))).toBe("ENOSPC");
    expect(await file.write(bytes("hello"), 0)).toBe(5);
  });

  test("a disk has room for so many bytes, and again when a file is gone", async () => {
    const { files } = machine(undefined, { capacityBytes: 10 });
    const file = await files.open("a", creating);
    await writeAll(file, bytes("1234567"), 0);
    const other = await files.open("b", creating);

    expect(await files.space()).toEqual({ totalBytes: 10, freeBytes: 3 });
    expect(await other.write(bytes("12345"), 0)).toBe(3);
    expect(await codeOf(other.write(bytes("45"), 3))).toBe("ENOSPC");
    expect(await codeOf(other.truncate(4))).toBe("ENOSPC");
    // Bytes that have their place already need no other.
    expect(await file.write(bytes("abcdefgh"), 0)).toBe(7);

    await files.remove("a");
    expect((await files.space()).freeBytes).toBe(0);
    await file.close();
    expect((await files.space()).freeBytes).toBe(7);
    await writeAll(other, bytes("4567890"), 3);
    expect((await files.space()).freeBytes).toBe(0);
  });

  test("what replaces, truncates and is lost at a power loss gives room back", async () => {
    const { files } = machine(undefined, { capacityBytes: 100 }, chosen({ "bytes:file": 9 }));
    const file = await syncedFile(files, "file", "12345");
    await replaceFile(files, "other", bytes("1234567890"));
    await replaceFile(files, "other", bytes("12"));
    expect((await files.space()).freeBytes).toBe(93);
    await file.truncate(2);
    expect((await files.space()).freeBytes).toBe(96);
    await writeAll(file, bytes("123456789"), 0);
    expect((await files.space()).freeBytes).toBe(89);

    files.crash("power-loss");

    expect(textOf(files.peek("file"))).toBe("12345");
    expect((await files.space()).freeBytes).toBe(93);
  });

  test("eio-read fails a read, and the next one works", async () => {
    const { host, files } = machine();
    const file = await syncedFile(files, "file", "text");
    host.strike = once("eio-read");

    expect(await codeOf(readAll(file))).toBe("EIO");
    expect(textOf(await readAll(file))).toBe("text");
    expect(host.told).toEqual(["file: fails to read with EIO (eio-read)"]);
  });

  test("eio-read fails a list", async () => {
    const { host, files } = machine();
    host.strike = once("eio-read");

    expect(await codeOf(files.list(""))).toBe("EIO");
    expect(await files.list("")).toEqual([]);
    expect(host.told).toEqual(["/: fails to list with EIO (eio-read)"]);
  });

  test("eio-write fails a write of which a part may be there", async () => {
    const { host, files } = machine();
    const file = await files.open("file", creating);

    host.strike = once("eio-write");
    expect(await codeOf(file.write(bytes("hello"), 0))).toBe("EIO");
    expect(textOf(files.peek("file"))).toBe("");
    host.strike = once("eio-write", 2);
    expect(await codeOf(file.write(bytes("hello"), 0))).toBe("EIO");

    expect(textOf(files.peek("file"))).toBe("he");
  });

  test("eio-fsync-once says so once; the bytes are shown and never reach the disk", async () => {
    const { host, files } = machine();
    const file = await syncedFile(files, "file", "old");
    await writeAll(file, bytes("new"), 0);
    host.strike = once("eio-fsync-once");

    expect(await codeOf(file.sync())).toBe("EIO");
    expect(await codeOf(file.sync())).toBe("worked");
    expect(textOf(files.peek("file"))).toBe("new");
    expect(textOf(files.durable("file"))).toBe("old");
    await writeAll(file, bytes("!"), 3);
    await file.sync();
    files.crash("power-loss");

    expect(textOf(files.peek("file"))).toBe("old!");
  });

  test("eio-fsync-once of a directory loses nothing", async () => {
    const { host, files } = machine();
    const file = await files.open("file", creating);
    await file.sync();
    host.strike = once("eio-fsync-once");

    expect(await codeOf(files.syncDirectory(""))).toBe("EIO");
    expect(files.durablePaths()).toEqual([]);
    await files.syncDirectory("");

    expect(files.durablePaths()).toEqual(["file"]);
  });

  test("a sync that has nothing to do cannot fail", async () => {
    const { host, files } = machine();
    const file = await syncedFile(files, "file", "text");
    host.strike = (fault) => fault === "eio-fsync-once" || fault === "erofs";

    expect(await codeOf(file.sync())).toBe("worked");
    expect(await codeOf(files.syncDirectory(""))).toBe("worked");
  });

  test("short-write takes less than it was given, and at least a byte", async () => {
    const { host, files } = machine();
    const file = await files.open("file", creating);

    host.strike = (fault) => fault === "short-write";
    expect(await file.write(bytes("hello"), 0)).toBe(4);
    host.strike = (fault) => fault === "short-write" && 1_000;
    expect(await file.write(bytes("world"), 0)).toBe(1);
    expect(await file.write(bytes("!"), 5)).toBe(1);
    await writeAll(file, bytes("all of it"), 0);

    expect(textOf(files.peek("file"))).toBe("all of it");
  });

  test("bit-flip turns a bit over, for every later reader and on the disk too", async () => {
    const { host, files } = machine();
    const file = await syncedFile(files, "file", "abc");
    host.strike = once("bit-flip", 1);

    expect(textOf(await readAll(file))).toBe("a`c");
    expect(textOf(await readAll(file))).toBe("a`c");
    expect(textOf(files.durable("file"))).toBe("a`c");
    expect(host.told).toEqual(["file: has bit 1 of byte 1 turned over (bit-flip)"]);
  });

  test("bit-flip in a write that was not synced goes to the disk with it", async () => {
    const { host, files } = machine();
    const file = await syncedFile(files, "file", "abc");
    await writeAll(file, bytes("xyz"), 0);
    host.strike = once("bit-flip", 1);
    await readAll(file);
    expect(textOf(files.durable("file"))).toBe("abc");

    await file.sync();

    expect(textOf(files.durable("file"))).toBe("x{z");
  });

  test("the end of the OS process ends emfile, the machine's ends erofs too", async () => {
    const { host, files } = machine((fault) => fault === "emfile");
    expect(await codeOf(files.list(""))).toBe("EMFILE");
    host.strike = (fault) => fault === "erofs";
    expect(await codeOf(files.makeDirectory("directory"))).toBe("EROFS");
    host.strike = () => false;

    files.crash("page-cache");
    expect(await codeOf(files.list(""))).toBe("worked");
    expect(await codeOf(files.makeDirectory("directory"))).toBe("EROFS");
    files.crash("power-loss");

    expect(await codeOf(files.makeDirectory("directory"))).toBe("worked");
  });

  test("erofs refuses all that writes for a time, and nothing else", async () => {
    const { host, files } = machine();
    const file = await syncedFile(files, "file", "old");
    await writeAll(file, bytes("new"), 0);
    host.strike = once("erofs", 2);

    expect(await codeOf(file.write(bytes("x"), 0))).toBe("EROFS");
    const refused = [
      file.truncate(0),
      file.sync(),
      files.open("other", creating),
      files.open("file", { append: true }),
      files.rename("file", "other"),
      files.remove("file"),
      files.makeDirectory("directory"),
    ];
    for (const attempt of refused) expect(await codeOf(attempt)).toBe("EROFS");
    expect(textOf(await readFile(files, "file"))).toBe("new");
    expect(host.told).toEqual(["file: finds the file system read-only, for 3000 ms (erofs)"]);

    host.now += 3_000;
    await file.sync();
    expect(textOf(files.durable("file"))).toBe("new");
  });

  test("slow-disk makes an operation take seconds", async () => {
    const { host, files } = machine(undefined, { operationMs: 0.5, syncMs: 4 });
    const file = await files.open("file", creating);
    const beforeMs = host.now;

    await file.size();
    expect(host.now - beforeMs).toBe(0.5);
    host.strike = once("slow-disk", 6);
    await file.size();
    expect(host.now - beforeMs).toBe(7_000.5);
    await file.sync();

    expect(host.now - beforeMs).toBe(7_004.5);
    expect(host.told).toEqual(["file: takes 7000 ms to size (slow-disk)"]);
  });

  test("emfile refuses all that opens for a time", async () => {
    const { host, files } = machine();
    const file = await syncedFile(files, "file", "text");
    host.strike = once("emfile");

    expect(await codeOf(files.open("other", creating))).toBe("EMFILE");
    expect(await codeOf(files.list(""))).toBe("EMFILE");
    expect(await codeOf(files.syncDirectory(""))).toBe("EMFILE");
    expect(await codeOf(files.stat("file"))).toBe("worked");
    expect(textOf(await readAll(file))).toBe("text");
    expect(host.told).toEqual(["other: finds too many files open, for 1000 ms (emfile)"]);

    host.now += 1_000;
    expect(await codeOf(files.open("other", creating))).toBe("worked");
  });

  test("so many files are open at once, no more, until one is closed", async () => {
    const { files } = machine(undefined, { openFilesMax: 2 });
    const file = await files.open("a", creating);
    await files.open("b", creating);

    expect(await codeOf(files.open("c", creating))).toBe("EMFILE");
    expect(files.paths()).toEqual(["a", "b"]);
    expect(files.openCount).toBe(2);
    await file.close();
    await file.close();

    expect(files.openCount).toBe(1);
    expect(await codeOf(files.open("c", creating))).toBe("worked");
  });

  test("calm ends what lasts", async () => {
    const { host, files } = machine((fault) => fault === "erofs" || fault === "emfile");
    expect(await codeOf(files.open("file", creating))).toBe("EMFILE");
    expect(await codeOf(files.makeDirectory("directory"))).toBe("EROFS");

    host.strike = () => false;
    files.calm();

    expect(await codeOf(files.open("file", creating))).toBe("worked");
  });

  test("faults are asked for by the path, of the root by /", async () => {
    const asked = new Set<string>();
    const { files } = machine((_fault, subject) => {
      asked.add(subject);
      return false;
    });
    await files.makeDirectory("state");

    await replaceFile(files, "state/units", bytes("text"));
    await readFile(files, "state/units");
    await files.list("");

    expect([...asked].toSorted()).toEqual(["/", "state", "state/units", "state/units.new"]);
  });
});

describe("simulated file system: crashes", () => {
  test("the end of the OS process closes all files and keeps all that was written", async () => {
    const { files } = machine();
    const file = await files.open("file", creating);
    await writeAll(file, bytes("text"), 0);

    files.crash("page-cache");

    expect(files.openCount).toBe(0);
    expect(await codeOf(file.size())).toBe("EBADF");
    expect(textOf(await readFile(files, "file"))).toBe("text");
    expect(files.durable("file")).toBeUndefined();
  });

  test("an operation that was under way at a crash has not happened", async () => {
    let run = (): void => {};
    const host = new FakeSimulatedHost();
    const files = new SimulatedFileSystem(host);
    const file = await syncedFile(files, "file", "old");
    host.operate = (_durationMs, perform) =>
      new Promise((resolve, reject) => {
        run = () => {
          try {
            resolve(perform());
          } catch (error) {
            reject(error as Error);
          }
        };
      });

    for (const begin of [() => file.write(bytes("new"), 0), () => files.remove("file")]) {
      const attempt = begin();
      files.crash("page-cache");
      run();
      expect(await codeOf(attempt)).toBe("EIO");
    }

    expect(textOf(files.peek("file"))).toBe("old");
  });

  test("the dullest power loss loses nothing", async () => {
    const { host, files } = machine();
    const file = await files.open("file", creating);
    await writeAll(file, bytes("text"), 0);

    files.crash("power-loss");

    expect(textOf(files.peek("file"))).toBe("text");
    expect(textOf(files.durable("file"))).toBe("text");
    expect(host.told).toEqual([]);
  });

  test("a power loss takes the youngest writes that were not synced", async () => {
    const { host, files } = machine(undefined, {}, chosen({ "bytes:file": 2 }));
    const file = await syncedFile(files, "file", "0");
    for (const digit of "123") await writeAll(file, bytes(digit), Number(digit));
    await file.truncate(1);

    files.crash("power-loss");

    expect(textOf(files.peek("file"))).toBe("012");
    expect(host.told).toEqual(["file: lost the last 2 of 4 unsynced writes"]);
  });

  test("a truncation that was not synced is lost as a write is", async () => {
    const { files } = machine(undefined, {}, chosen({ "bytes:file": 1 }));
    const file = await syncedFile(files, "file", "0123");
    await file.truncate(1);
    expect(textOf(files.durable("file"))).toBe("0123");

    files.crash("power-loss");

    expect(textOf(files.peek("file"))).toBe("0123");
  });

  test("a file whose name was not synced is gone, its synced bytes with it", async () => {
    const { host, files } = machine(undefined, {}, chosen({ "names:": 1 }));
    await syncedFile(files, "kept", "text");
    const file = await files.open("file", creating);
    await writeAll(file, bytes("text"), 0);
    await file.sync();

    files.crash("power-loss");

    expect(files.paths()).toEqual(["kept"]);
    expect(host.told).toEqual(["/: lost creating file, which was not synced"]);
  });

  test("a directory that was not synced into its parent is gone with all that was synced in it", async () => {
    const { files } = machine(undefined, {}, chosen({ "names:": 1 }));
    await files.makeDirectory("directory");
    await syncedFile(files, "directory/file", "text");
    expect(files.durablePaths()).toEqual([]);

    files.crash("power-loss");

    expect(files.paths()).toEqual([]);
    expect(await files.exists("directory")).toBe(false);
  });

  test("a rename that was not synced is lost as a whole: both names are as they were", async () => {
    const { files } = machine(undefined, {}, chosen({ "names:": 1 }));
    await syncedFile(files, "file", "old");
    await syncedFile(files, "file.new", "new");
    await files.rename("file.new", "file");

    files.crash("power-loss");

    expect(files.paths()).toEqual(["file", "file.new"]);
    expect(textOf(files.peek("file"))).toBe("old");
    expect(textOf(files.peek("file.new"))).toBe("new");
  });

  test("a rename that was not synced may be there without the bytes that were not synced", async () => {
    const { files } = machine(undefined, {}, chosen({ "bytes:file": 1 }));
    await syncedFile(files, "file", "old");
    const file = await files.open("file.new", creating);
    await writeAll(file, bytes("new"), 0);
    await files.rename("file.new", "file");

    files.crash("power-loss");

    expect(files.paths()).toEqual(["file"]);
    expect(textOf(files.peek("file"))).toBe("");
  });

  test("a removal that was not synced brings the file back", async () => {
    const { files } = machine(undefined, {}, chosen({ "names:": 1 }));
    await syncedFile(files, "file", "text");
    await files.remove("file");

    files.crash("power-loss");

    expect(textOf(files.peek("file"))).toBe("text");
    await files.remove("file");
    expect((await files.space()).freeBytes).toBe(capacityBytesDefault);
  });

  test("directories lose their names each for itself", async () => {
    const { files } = machine(undefined, {}, chosen({ "names:a": 1 }));
    await makeDirectories(files, "a");
    await makeDirectories(files, "b");
    await files.open("a/file", creating);
    await files.open("b/file", creating);

    files.crash("power-loss");

    expect(files.paths()).toEqual(["b/file"]);
  });

  test("syncing a directory syncs its own names alone", async () => {
    const { files } = machine();
    await makeDirectories(files, "a");
    await makeDirectories(files, "b");
    await files.open("a/file", creating);
    await files.open("b/file", creating);

    await files.syncDirectory("b");

    expect(files.durablePaths()).toEqual(["b/file"]);
  });

  test("a rename between two directories is synced by each of them, with what it stands on", async () => {
    for (const directory of ["from", "to"]) {
      const { files } = machine();
      await makeDirectories(files, "from");
      await files.makeDirectory("to");
      await files.open("from/file", creating);
      await files.rename("from/file", "to/file");

      await files.syncDirectory(directory);

      expect(files.durablePaths()).toEqual(["to/file"]);
    }
  });

  test("a rename between two directories is lost with what it stands on", async () => {
    const { files } = machine(undefined, {}, chosen({ "names:": 1 }));
    await makeDirectories(files, "from");
    await syncedFile(files, "from/file", "text");
    await files.makeDirectory("to");
    await files.rename("from/file", "to/file");

    files.crash("power-loss");

    expect(files.paths()).toEqual(["from/file"]);
  });

  test("torn-write keeps some sectors of the first lost write", async () => {
    const torn: Strike = (fault) => fault === "torn-write";
    const { host, files } = machine(torn, {}, chosen({ "bytes:file": 2 }));
    const file = await syncedFile(files, "file", ".".repeat(3 * sectorBytes));
    await writeAll(file, bytes("a".repeat(2 * sectorBytes)), 100);
    await writeAll(file, bytes("b".repeat(2 * sectorBytes)), 100);

    files.crash("power-loss");

    // From 100 on it touches three sectors; one, the last, is lost.
    const kept = `${".".repeat(100)}${"a".repeat(2 * sectorBytes - 100)}`;
    expect(textOf(files.peek("file"))).toBe(kept.padEnd(3 * sectorBytes, "."));
    expect(host.told).toEqual([
      "file: has 2 of 3 sectors of a write at 100",
      "file: lost the last 2 of 2 unsynced writes",
    ]);
  });

  test("torn-write may keep the end alone, with zeros before", async () => {
    const torn: Strike = (fault) => fault === "torn-write";
    const { files } = machine(torn, {}, chosen({ "bytes:file": 1, "torn:file": 1 }));
    const file = await syncedFile(files, "file", "");
    await writeAll(file, bytes("a".repeat(2 * sectorBytes)), 0);

    files.crash("power-loss");

    expect(textOf(files.peek("file"))).toBe("\0".repeat(sectorBytes) + "a".repeat(sectorBytes));
  });

  test("a write within one sector is never torn", async () => {
    const { files } = machine((fault) => fault === "torn-write", {}, chosen({ "bytes:file": 1 }));
    const file = await syncedFile(files, "file", "old");
    await writeAll(file, bytes("a".repeat(sectorBytes)), 0);

    files.crash("power-loss");

    expect(textOf(files.peek("file"))).toBe("old");
  });

  test("without torn-write and reordered-write no choice tears or reorders", async () => {
    const { files } = machine(undefined, {}, chosen({ "bytes:file": 1, "torn:file": 1, "order:file": [1, 0, 1] }));
    const file = await syncedFile(files, "file", "");
    await writeAll(file, bytes("a".repeat(2 * sectorBytes)), 0);
    await writeAll(file, bytes("b".repeat(2 * sectorBytes)), 0);

    files.crash("power-loss");

    expect(textOf(files.peek("file"))).toBe("a".repeat(2 * sectorBytes));
  });

  test("reordered-write keeps a younger write without an older one", async () => {
    const reordered: Strike = (fault) => fault === "reordered-write";
    const { host, files } = machine(reordered, {}, chosen({ "bytes:file": 1, "order:file": [1, 0] }));
    const file = await syncedFile(files, "file", "");
    await writeAll(file, bytes("a"), 0);
    await writeAll(file, bytes("b"), 1);

    files.crash("power-loss");

    expect(textOf(files.peek("file"))).toBe("\0b");
    expect(host.told).toEqual(["file: lost some of 2 unsynced writes, not the youngest ones"]);
  });

  test("reordered-write keeps a younger name without an older one, but never half a rename", async () => {
    const reordered: Strike = (fault) => fault === "reordered-write";
    const { files } = machine(reordered, {}, chosen({ "names:": 4, "order:": [1, 0, 0, 0] }));
    await syncedFile(files, "old", "text");
    await files.open("lost", creating);
    await files.open("kept", creating);
    await files.rename("lost", "renamed");
    await files.rename("old", "new");

    files.crash("power-loss");

    // What was never made cannot have been renamed.
    expect(files.paths()).toEqual(["kept", "new"]);
  });

  test("reordered-write never takes a file away: a name stays with it until its rename is there", async () => {
    const reordered: Strike = (fault) => fault === "reordered-write";
    const { files } = machine(reordered, {}, chosen({ "names:": 2, "order:": [1, 0] }));
    await syncedFile(files, "file", "text");
    await files.rename("file", "other");
    await files.open("file", creating);

    files.crash("power-loss");

    expect(files.paths()).toEqual(["file"]);
    expect(textOf(files.peek("file"))).toBe("text");
  });

  test("without a sync the OS writes the oldest back when it is much", async () => {
    const { files } = machine(undefined, {}, chosen({ "bytes:file": 100_000, "names:": 100_000 }));
    const file = await syncedFile(files, "file", "");
    for (let index = 0; index <= unsyncedWritesMax; index += 1) await writeAll(file, bytes("x"), index);
    await makeDirectories(files, "many");
    for (let index = 0; index <= unsyncedChangesMax; index += 1) {
      await (await files.open(`many/${index}`, creating)).close();
    }

    expect(files.durable("file")).toHaveLength(unsyncedWritesMax / 2);
    expect(files.durablePaths()).toHaveLength(1 + unsyncedChangesMax / 2);
  });

  test("a crash after a crash begins with what the first one left", async () => {
    const { files } = machine(undefined, {}, chosen({ "bytes:file": [1, 1] }));
    const file = await syncedFile(files, "file", "0");
    await writeAll(file, bytes("1"), 1);
    files.crash("power-loss");
    const again = await files.open("file", { write: true });
    await writeAll(again, bytes("2"), 1);
    await again.sync();
    await writeAll(again, bytes("3"), 2);

    files.crash("power-loss");

    expect(textOf(files.peek("file"))).toBe("02");
  });
});

describe("whole files", () => {
  test("writeAll and appendAll loop over short writes", async () => {
    const { files } = machine((fault) => fault === "short-write" && 2);
    const file = await files.open("file", creating);
    await writeAll(file, bytes("hello, world"), 0);
    const log = await files.open("file", { append: true });

    await appendAll(log, bytes("; and all the rest"));

    expect(textOf(files.peek("file"))).toBe("hello, world; and all the rest");
  });

  test("a disk that takes nothing and says nothing is not asked for ever", async () => {
    const mute = { path: "file", write: async () => 0, append: async () => 0 } as unknown as OpenFile;

    expect(await codeOf(writeAll(mute, bytes("x"), 0))).toBe("EIO");
    expect(await codeOf(appendAll(mute, bytes("x")))).toBe("EIO");
    expect(await codeOf(writeAll(mute, bytes(""), 0))).toBe("worked");
  });

  test("replaceFile that has failed leaves the old bytes and no other file", async () => {
    for (const fault of ["enospc", "eio-write", "eio-fsync-once", "erofs"] as const) {
      const { host, files } = machine();
      await syncedFile(files, "file", "old");
      host.strike = once(fault, 2);

      expect(await codeOf(replaceFile(files, "file", bytes("new!")))).toMatch(/^E(?:NOSPC|IO|ROFS)$/);

      expect(textOf(files.peek("file"))).toBe("old");
      expect(files.paths()).toEqual(["file"]);
      expect(files.openCount).toBe(1);
    }
  });

  test("what replaceFile and makeDirectories have settled survives any power loss", async () => {
    const worst = new SeededChoices(1);
    const last = (count: number) => count - 1;
    const stream = {
      name: "worst",
      choose: last,
      chance: () => true,
      chooseAt: (_index: number, count: number) => last(count),
      chanceAt: () => true,
    };
    worst.stream = () => stream;
    const { files } = machine((fault) => /torn|reordered/.test(fault) && 1_000, {}, worst);
    await makeDirectories(files, "a/b");
    await replaceFile(files, "a/b/file", bytes("first"));
    await replaceFile(files, "a/b/file", bytes("second"));

    files.crash("power-loss");

    expect(textOf(files.peek("a/b/file"))).toBe("second");
  });
});
