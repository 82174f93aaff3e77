import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FileError } from "../../base/file-system.ts";
import { testFileSystem } from "../../testing/file-system-contract.ts";
import { nodeFileSystem } from "./node-file-system.ts";

describe("node file system", () => {
  testFileSystem({
    system: () => {
      const root = mkdtempSync(join(tmpdir(), "colos-files-"));
      return { files: nodeFileSystem(root), close: () => rmSync(root, { recursive: true }) };
    },
    test,
  });

  test("a root that is not there fails the operation, with Node's error as the cause", async () => {
    const files = nodeFileSystem(join(tmpdir(), "colos-no-such-root"));

    const failure = await files.list("").catch((error: unknown) => error);

    expect(failure).toBeInstanceOf(FileError);
    expect(failure).toMatchObject({ code: "ENOENT", operation: "list", cause: { code: "ENOENT", syscall: "scandir" } });
    expect((failure as Error).message).toBe("cannot list the root: there is nothing of that name (ENOENT)");
  });
});
