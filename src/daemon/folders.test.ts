import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FolderError, makeFolder } from "./folders.ts";

let place: string;

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "colos-folders-"));
});

afterEach(() => rmSync(place, { recursive: true }));

function refusal(path: string): FolderError {
  try {
    makeFolder(path);
  } catch (error) {
    return error as FolderError;
  }
  throw new Error(`${path} was made`);
}

describe("makeFolder", () => {
  test("makes a folder and those above it, for its owner alone, and leaves what is there", () => {
    chmodSync(place, 0o755);

    makeFolder(join(place, "a/b/c"));
    makeFolder(join(place, "a/b/c"));

    expect(statSync(join(place, "a")).mode & 0o777).toBe(0o700);
    expect(statSync(join(place, "a/b/c")).isDirectory()).toBe(true);
    expect(statSync(place).mode & 0o777).toBe(0o755);
  });

  test("ends where a file system takes no folders", (context) => {
    if (process.platform !== "linux") context.skip("no such file system is known here");
    const error = refusal("/proc/nope/home");

    expect(error).toBeInstanceOf(FolderError);
    expect(error.message).toBe(
      "/proc/nope cannot be made: this file system takes no folders; choose another home with --home",
    );
  });

  test("says that a file is in the way", () => {
    writeFileSync(join(place, "file"), "");

    expect(refusal(join(place, "file")).message).toBe(`${join(place, "file")} is there already, and no folder`);
    expect(refusal(join(place, "file/home")).code).toBe("ENOTDIR");
  });

  test("says that symbolic links lead nowhere", () => {
    symlinkSync("loop", join(place, "loop"));

    expect(refusal(join(place, "loop/home")).message).toContain("too many symbolic links lead to it");
  });

  test("says that it is not permitted", (context) => {
    if (process.getuid?.() === 0) context.skip("root may write everywhere");
    chmodSync(place, 0o500);

    expect(refusal(join(place, "home")).message).toContain("you may not write in the folder above it");
    chmodSync(place, 0o700);
  });

  test("a path without end is refused", () => {
    expect(refusal(`${place}/${"a/".repeat(300)}`).message).toContain("lies deeper than 256 folders");
  });
});
