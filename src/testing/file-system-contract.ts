/**
 * File system contract: one suite for all file systems. What a case states holds on each of them, or the file system's test
 * names the case under `skip` with a sentence that says why not.
 *
 * It knows no test framework: `test` is passed in (vitest's and node:test's both fit). Each case gets an empty file system
 * of its own.
 * Not here: what survives a power loss, and failing disks; a real one shows neither on demand (sim).
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  FileError,
  isFileError,
  type FileErrorCode,
  type FileSystem,
  type OpenFile,
  type OpenOptions,
} from "../base/file-system.ts";
import {
  appendAll,
  makeDirectories,
  readAll,
  readFile,
  replaceFile,
  replacementSuffix,
  writeAll,
} from "../base/whole-files.ts";
import { declareCases, type ContractSuite } from "./contract.ts";

/** A file system for one case. */
export interface FileSystemUnderTest {
  /** Empty. */
  readonly files: FileSystem;
  /** Called when the case is over and its files are closed. */
  close?(): void | PromiseLike<void>;
}

export interface FileSystemSuite extends ContractSuite {
  system(): FileSystemUnderTest | Promise<FileSystemUnderTest>;
}

/** Declares all cases. @throws Error when `skip` names a case that there is not. */
export function testFileSystem(suite: FileSystemSuite): void {
  declareCases("file system", suite, cases, async () => {
    const system = await suite.system();
    return { scene: new Scene(system.files), system };
  });
}

type Case = (scene: Scene) => Promise<void>;

class Scene {
  readonly files: FileSystem;
  readonly #opened: OpenFile[] = [];

  constructor(files: FileSystem) {
    this.files = files;
  }

  /** Opens a file that is closed when the case is over. */
  async open(path: string, options: OpenOptions): Promise<OpenFile> {
    const file = await this.files.open(path, options);
    this.#opened.push(file);
    return file;
  }

  /** A new file, open for reading and writing. */
  async make(path: string, content = ""): Promise<OpenFile> {
    const file = await this.open(path, { read: true, write: true, create: true });
    await writeAll(file, bytesOf(content), 0);
    return file;
  }

  async content(path: string): Promise<string> {
    return textOf(await readFile(this.files, path));
  }

  async end(): Promise<void> {
    for (const file of this.#opened) await file.close();
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Rejects, with this code and a sentence that names the path. */
async function fails(attempt: Promise<unknown>, code: FileErrorCode, path?: string): Promise<void> {
  const error: unknown = await attempt.then(
    () => assert.fail(`it worked, where ${code} was expected`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof FileError, `no FileError: ${String(error)}`);
  assert.ok(isFileError(error, code), `${error.code}, not ${code}: ${error.message}`);
  if (path === undefined) return;
  assert.equal(error.path, path);
  assert.ok(error.message.includes(path), error.message);
}

// --- the cases ---

const openCases: Readonly<Record<string, Case>> = {
  async "opening what is not there fails, and makes nothing"({ files }) {
    await fails(files.open("absent", { read: true }), "ENOENT", "absent");
    await fails(files.open("absent", { write: true }), "ENOENT", "absent");

    assert.deepEqual(await files.list(""), []);
  },

  async "a file is made where create says so"({ files }) {
    const file = await files.open("made", { write: true, create: true });
    await file.close();

    assert.deepEqual(await files.stat("made"), { kind: "file", sizeBytes: 0 });
  },

  async "create keeps the bytes of a file that is there"(scene) {
    await scene.make("kept", "bytes");

    await scene.open("kept", { write: true, create: true });

    assert.equal(await scene.content("kept"), "bytes");
  },

  async "exclusive refuses what is there"(scene) {
    await scene.make("taken");
    await scene.files.makeDirectory("directory");

    await fails(scene.files.open("taken", { write: true, create: true, exclusive: true }), "EEXIST", "taken");
    await fails(scene.files.open("directory", { write: true, create: true, exclusive: true }), "EEXIST", "directory");

    await scene.open("fresh", { write: true, create: true, exclusive: true });
    assert.equal(await scene.files.exists("fresh"), true);
  },

  async "truncate cuts off what is there"(scene) {
    await scene.make("long", "a long text");

    const file = await scene.open("long", { write: true, truncate: true });

    assert.equal(await file.size(), 0);
    assert.equal(await scene.content("long"), "");
  },

  async "a directory cannot be opened"({ files }) {
    await files.makeDirectory("directory");

    for (const path of ["", "directory"]) {
      await fails(files.open(path, { read: true }), "EISDIR");
      await fails(files.open(path, { write: true }), "EISDIR");
      await fails(files.open(path, { append: true, create: true }), "EISDIR");
    }
  },

  async "a path through a file or through nothing fails"(scene) {
    await scene.make("file");

    await fails(scene.files.open("file/inner", { read: true }), "ENOTDIR", "file/inner");
    await fails(scene.files.open("file/inner", { write: true, create: true }), "ENOTDIR");
    await fails(scene.files.open("absent/inner", { write: true, create: true }), "ENOENT", "absent/inner");
  },

  async "options that contradict each other are refused"(scene) {
    await scene.make("file", "kept");

    const contradictions: OpenOptions[] = [
      {},
      { create: true },
      { write: true, append: true },
      { read: true, truncate: true },
      { read: true, create: true },
      { write: true, exclusive: true },
    ];
    for (const options of contradictions) await fails(scene.files.open("file", options), "EINVAL", "file");

    assert.equal(await scene.content("file"), "kept");
  },

  async "a path is made of plain names"({ files }) {
    for (const path of ["/file", "file/", "a//b", ".", "..", "a/../b", "./a", "a\0b"]) {
      await fails(files.open(path, { write: true, create: true }), "EINVAL");
      await fails(files.makeDirectory(path), "EINVAL");
      await fails(files.stat(path), "EINVAL");
    }
    await fails(files.open("n".repeat(256), { write: true, create: true }), "x-ENAMETOOLONG");

    assert.deepEqual(await files.list(""), []);
  },

  async "names may hold any other character"(scene) {
    const names = [" ", "...", "a b", "ä€😀", "new\nline", "-rf", "n".repeat(255)];
    for (const name of names) await scene.make(name, name);

    assert.deepEqual(await scene.files.list(""), names.toSorted());
    for (const name of names) assert.equal(await scene.content(name), name);
  },
};

const byteCases: Readonly<Record<string, Case>> = {
  async "what was written is read"(scene) {
    const file = await scene.make("file", "hello, world");

    const into = new Uint8Array(5);

    assert.equal(await file.read(into, 7), 5);
    assert.equal(textOf(into), "world");
  },

  async "a read at or beyond the end gives nothing, one across it a part"(scene) {
    const file = await scene.make("file", "hello");
    const into = new Uint8Array(10).fill(0x2e);

    assert.equal(await file.read(into, 5), 0);
    assert.equal(await file.read(into, 500), 0);
    assert.equal(await file.read(new Uint8Array(0), 0), 0);
    assert.equal(await file.read(into, 3), 2);
    assert.equal(textOf(into), "lo........");
  },

  async "a write in the middle changes only what it covers"(scene) {
    const file = await scene.make("file", "aaaaaaaaaa");

    await writeAll(file, bytesOf("bbb"), 4);

    assert.equal(await scene.content("file"), "aaaabbbaaa");
  },

  async "a write beyond the end leaves zeros between"(scene) {
    const file = await scene.make("file", "ab");

    await writeAll(file, bytesOf("cd"), 5);

    assert.equal(await scene.content("file"), "ab\0\0\0cd");
  },

  async "a write of nothing changes nothing"(scene) {
    const file = await scene.make("file", "ab");

    assert.equal(await file.write(new Uint8Array(0), 50), 0);

    assert.equal(await file.size(), 2);
  },

  async "appends go to the end, whoever wrote meanwhile"(scene) {
    const file = await scene.make("log", "0");
    const one = await scene.open("log", { append: true });
    const other = await scene.open("log", { append: true, read: true });

    await appendAll(one, bytesOf("1"));
    await appendAll(other, bytesOf("2"));
    await writeAll(file, bytesOf("3"), 3);
    await appendAll(one, bytesOf("4"));

    assert.equal(textOf(await readAll(other)), "01234");
  },

  async "truncate cuts, and fills up with zeros"(scene) {
    const file = await scene.make("file", "abcdef");

    await file.truncate(3);
    assert.equal(await scene.content("file"), "abc");
    await file.truncate(5);

    assert.equal(await scene.content("file"), "abc\0\0");
    assert.equal(await file.size(), 5);
  },

  async "a megabyte comes back as it was"(scene) {
    const file = await scene.make("large");
    const bytes = Uint8Array.from({ length: 1_048_576 + 7 }, (_, index) => (index * 31 + (index >> 8)) & 0xff);

    await writeAll(file, bytes, 0);

    assert.ok(Buffer.from(bytes).equals(await readFile(scene.files, "large")));
  },

  async "bytes of a larger buffer are written alone"(scene) {
    const file = await scene.make("file");
    const buffer = Buffer.from("0123456789");

    await writeAll(file, buffer.subarray(3, 6), 0);
    buffer.fill(0);

    assert.equal(await scene.content("file"), "345");
  },

  async "two that have the same file open see each other's writes"(scene) {
    const one = await scene.make("file", "one");
    const other = await scene.open("file", { read: true, write: true });

    await writeAll(other, bytesOf("two"), 0);

    assert.equal(textOf(await readAll(one)), "two");
  },

  async "sync and syncDirectory settle, also when there is nothing to do"(scene) {
    const file = await scene.make("file", "bytes");

    for (let round = 0; round < 2; round += 1) {
      await file.sync();
      await scene.files.syncDirectory("");
    }

    assert.equal(await scene.content("file"), "bytes");
  },

  async "a file that was opened for one thing refuses the other"(scene) {
    await scene.make("file", "kept");
    const reading = await scene.open("file", { read: true });
    const writing = await scene.open("file", { write: true });
    const appending = await scene.open("file", { append: true });

    await fails(reading.write(bytesOf("x"), 0), "EBADF", "file");
    await fails(reading.append(bytesOf("x")), "EBADF");
    await fails(reading.truncate(0), "EBADF");
    await fails(writing.read(new Uint8Array(1), 0), "EBADF");
    await fails(writing.append(bytesOf("x")), "EBADF");
    await fails(appending.write(bytesOf("x"), 0), "EBADF");

    assert.equal(await scene.content("file"), "kept");
  },

  async "an offset that is none is refused"(scene) {
    const file = await scene.make("file", "kept");

    for (const offset of [-1, 0.5, NaN, Infinity, 2 ** 60]) {
      await fails(file.read(new Uint8Array(1), offset), "EINVAL", "file");
      await fails(file.write(bytesOf("x"), offset), "EINVAL");
      await fails(file.truncate(offset), "EINVAL");
    }

    assert.equal(await scene.content("file"), "kept");
  },

  async "a closed file refuses everything but closing"(scene) {
    const file = await scene.make("file", "kept");

    await file.close();
    await file.close();

    await fails(file.read(new Uint8Array(1), 0), "EBADF", "file");
    await fails(file.write(bytesOf("x"), 0), "EBADF");
    await fails(file.truncate(0), "EBADF");
    await fails(file.size(), "EBADF");
    await fails(file.sync(), "EBADF");
    assert.equal(await scene.content("file"), "kept");
  },
};

const nameCases: Readonly<Record<string, Case>> = {
  async "rename takes the bytes along"(scene) {
    await scene.make("old", "bytes");

    await scene.files.rename("old", "new");

    assert.deepEqual(await scene.files.list(""), ["new"]);
    assert.equal(await scene.content("new"), "bytes");
  },

  async "rename replaces a file; who has it open keeps the old bytes"(scene) {
    const replaced = await scene.make("file", "old");
    const renamed = await scene.make("file.new", "new");

    await scene.files.rename("file.new", "file");
    await writeAll(renamed, bytesOf("NEW"), 0);

    assert.deepEqual(await scene.files.list(""), ["file"]);
    assert.equal(await scene.content("file"), "NEW");
    assert.equal(textOf(await readAll(replaced)), "old");
  },

  async "rename goes from one directory to another"(scene) {
    await scene.files.makeDirectory("from");
    await scene.files.makeDirectory("to");
    await scene.make("from/file", "bytes");

    await scene.files.rename("from/file", "to/other");

    assert.deepEqual(await scene.files.list("from"), []);
    assert.equal(await scene.content("to/other"), "bytes");
  },

  async "rename moves a directory with all that is in it"(scene) {
    await scene.files.makeDirectory("old");
    await scene.make("old/file", "bytes");

    await scene.files.rename("old", "new");

    assert.equal(await scene.content("new/file"), "bytes");
    assert.equal(await scene.files.exists("old"), false);
  },

  async "a directory takes the place of an empty one only"(scene) {
    const { files } = scene;
    for (const path of ["moved", "empty", "full"]) await files.makeDirectory(path);
    await scene.make("full/file");

    await fails(files.rename("moved", "full"), "ENOTEMPTY", "moved");
    await files.rename("moved", "empty");

    assert.deepEqual(await files.list(""), ["empty", "full"]);
  },

  async "files and directories do not take each other's place"(scene) {
    await scene.files.makeDirectory("directory");
    await scene.make("file", "kept");

    await fails(scene.files.rename("file", "directory"), "EISDIR");
    await fails(scene.files.rename("directory", "file"), "ENOTDIR");

    assert.deepEqual(await scene.files.list(""), ["directory", "file"]);
  },

  async "a directory does not go into itself"({ files }) {
    await files.makeDirectory("outer");
    await files.makeDirectory("outer/inner");

    await fails(files.rename("outer", "outer/inner/outer"), "EINVAL");
    await fails(files.rename("outer", "outer/new"), "EINVAL");

    assert.deepEqual(await files.list("outer"), ["inner"]);
  },

  async "a name that begins like a directory's is another name"({ files }) {
    await files.makeDirectory("one");

    await files.rename("one", "one-more");

    assert.deepEqual(await files.list(""), ["one-more"]);
  },

  async "rename to its own name changes nothing"(scene) {
    await scene.make("file", "kept");

    await scene.files.rename("file", "file");

    assert.equal(await scene.content("file"), "kept");
  },

  async "rename of what is not there, or into nothing, fails"(scene) {
    await scene.make("file", "kept");

    await fails(scene.files.rename("absent", "file"), "ENOENT", "absent");
    await fails(scene.files.rename("file", "absent/file"), "ENOENT", "file");
    await fails(scene.files.rename("file", "file/file"), "ENOTDIR", "file");

    assert.equal(await scene.content("file"), "kept");
  },

  async "the root is neither removed nor renamed"({ files }) {
    await files.makeDirectory("directory");

    await fails(files.remove(""), "EINVAL");
    await fails(files.rename("", "directory/root"), "EINVAL");
    await fails(files.rename("directory", ""), "EINVAL");

    assert.deepEqual(await files.list(""), ["directory"]);
  },

  async "remove takes away a file; who has it open keeps it"(scene) {
    const file = await scene.make("file", "bytes");

    await scene.files.remove("file");

    assert.equal(await scene.files.exists("file"), false);
    assert.equal(textOf(await readAll(file)), "bytes");
    await writeAll(file, bytesOf("B"), 0);
    assert.equal(textOf(await readAll(file)), "Bytes");
    await fails(scene.files.remove("file"), "ENOENT", "file");
  },

  async "a file made under a removed one's name is another file"(scene) {
    const removed = await scene.make("file", "old");
    await scene.files.remove("file");

    await scene.make("file", "new");

    assert.equal(await scene.content("file"), "new");
    assert.equal(textOf(await readAll(removed)), "old");
  },

  async "remove takes away a directory that is empty, no other"(scene) {
    await scene.files.makeDirectory("directory");
    await scene.make("directory/file");

    await fails(scene.files.remove("directory"), "ENOTEMPTY", "directory");
    await scene.files.remove("directory/file");
    await scene.files.remove("directory");

    assert.deepEqual(await scene.files.list(""), []);
  },

  async "a list is sorted by code units"(scene) {
    const names = ["b", "a", "10", "9", "B", "ä", "a.b"];
    for (const name of names) await scene.make(name);

    assert.deepEqual(await scene.files.list(""), ["10", "9", "B", "a", "a.b", "b", "ä"]);
  },

  async "list wants a directory"(scene) {
    await scene.make("file");

    await fails(scene.files.list("file"), "ENOTDIR", "file");
    await fails(scene.files.list("absent"), "ENOENT", "absent");
  },

  async "a directory is made once, in one that is there"(scene) {
    const { files } = scene;
    await files.makeDirectory("directory");
    await scene.make("file");

    await fails(files.makeDirectory("directory"), "EEXIST", "directory");
    await fails(files.makeDirectory("file"), "EEXIST");
    await fails(files.makeDirectory(""), "EEXIST");
    await fails(files.makeDirectory("absent/inner"), "ENOENT");
    await fails(files.makeDirectory("file/inner"), "ENOTDIR");
  },

  async "only a directory that is there is synced as one"(scene) {
    await scene.make("file");
    await scene.files.makeDirectory("directory");

    await scene.files.syncDirectory("directory");
    await fails(scene.files.syncDirectory("file"), "ENOTDIR", "file");
    await fails(scene.files.syncDirectory("absent"), "ENOENT", "absent");
  },

  async "stat tells files from directories"(scene) {
    await scene.make("file", "12345");
    await scene.files.makeDirectory("directory");

    assert.deepEqual(await scene.files.stat("file"), { kind: "file", sizeBytes: 5 });
    assert.deepEqual(await scene.files.stat("directory"), { kind: "directory", sizeBytes: 0 });
    assert.deepEqual(await scene.files.stat(""), { kind: "directory", sizeBytes: 0 });
    await fails(scene.files.stat("absent"), "ENOENT", "absent");
    await fails(scene.files.stat("file/inner"), "ENOTDIR", "file/inner");
  },

  async "exists answers where stat fails"(scene) {
    await scene.make("file");

    assert.equal(await scene.files.exists("file"), true);
    assert.equal(await scene.files.exists(""), true);
    assert.equal(await scene.files.exists("absent"), false);
    assert.equal(await scene.files.exists("absent/inner"), false);
    assert.equal(await scene.files.exists("file/inner"), false);
  },

  async "there is no more free space than space"({ files }) {
    const { totalBytes, freeBytes } = await files.space();

    assert.ok(totalBytes > 0);
    assert.ok(freeBytes >= 0 && freeBytes <= totalBytes);
  },
};

const wholeFileCases: Readonly<Record<string, Case>> = {
  async "replaceFile makes a file, and replaces it"({ files }) {
    await files.makeDirectory("state");

    for (const text of ["first", "the second, longer", "3"]) {
      await replaceFile(files, "state/units", bytesOf(text));
      assert.equal(textOf(await readFile(files, "state/units")), text);
    }

    assert.deepEqual(await files.list("state"), ["units"]);
  },

  async "replaceFile uses up what a crash has left of another"(scene) {
    await scene.make(`file${replacementSuffix}`, "a torn rest of long ago");

    await replaceFile(scene.files, "file", bytesOf("new"));

    assert.equal(await scene.content("file"), "new");
    assert.deepEqual(await scene.files.list(""), ["file"]);
  },

  async "replaceFile that cannot replace leaves nothing behind"({ files }) {
    await files.makeDirectory("directory");

    await fails(replaceFile(files, "directory", bytesOf("new")), "EISDIR");

    assert.deepEqual(await files.list(""), ["directory"]);
  },

  async "readFile refuses what is longer than it was told"(scene) {
    await scene.make("file", "12345");

    assert.equal(textOf(await readFile(scene.files, "file", 5)), "12345");
    await fails(readFile(scene.files, "file", 4), "x-EFBIG", "file");
  },

  async "makeDirectories makes what is missing, and may be done again"({ files }) {
    await files.makeDirectory("a");

    await makeDirectories(files, "a/b/c");
    await makeDirectories(files, "a/b/c");
    await makeDirectories(files, "");

    assert.deepEqual(await files.stat("a/b/c"), { kind: "directory", sizeBytes: 0 });
  },

  async "makeDirectories does not go through a file"(scene) {
    await scene.make("file");

    await fails(makeDirectories(scene.files, "file/inner"), "ENOTDIR");
  },
};

const cases: Readonly<Record<string, Case>> = { ...openCases, ...byteCases, ...nameCases, ...wholeFileCases };
