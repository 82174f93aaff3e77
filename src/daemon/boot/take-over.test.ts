import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { listOptions } from "../../../test/journal-list.ts";
import { nodeFileSystem } from "../../platforms/node/node-file-system.ts";
import { homeAt } from "../home.ts";
import { openJournal } from "../journal/journal-opening.ts";
import { awaitEnd, checkHome } from "./take-over.ts";

test("a home without a journal, and one of this version or an older one, can be taken over; one of a newer cannot", async () => {
  const folder = mkdtempSync(join(tmpdir(), "colos-take-over-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const home = homeAt(folder);
  await checkHome(home, 1);
  // It is read while the old daemon has it open.
  const journal = await openJournal({ ...listOptions, files: nodeFileSystem(folder), path: "journal", version: 2 });
  await journal.append(["a"], { sync: true });

  await checkHome(home, 2);
  await checkHome(home, 3);
  await expect(checkHome(home, 1)).rejects.toThrow(/^journal was written by a newer colos/);
  await journal.close();
});

test("the end of an OS process is waited for, and no longer than said", async () => {
  const child = spawn("/bin/sh", ["-c", "read -r _"], { stdio: ["pipe", "ignore", "ignore"] });

  await expect(awaitEnd(child.pid!, 20)).rejects.toThrow(/did not end within 20 ms$/);
  const ended = once(child, "exit");
  child.stdin.end();
  await awaitEnd(child.pid!);
  await ended;
  await awaitEnd(child.pid!);
});
