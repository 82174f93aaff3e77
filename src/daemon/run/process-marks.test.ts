import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ProcessMarks } from "./process-marks.ts";

/** A thread of the kernel, which has no group and no environment. */
const kernelThread = 2;
const groupOf = (osPid: number): number => (osPid === kernelThread ? 0 : osPid);

/** A folder as /proc is, in which each OS process has a folder of its own. */
function procFolder(): {
  readonly folder: string;
  readonly add: (osPid: number, startTicks: number, run?: string, home?: string) => void;
  readonly setEnvironment: (osPid: number, text: string) => void;
} {
  const root = mkdtempSync(join(tmpdir(), "colos-marks-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const folder = join(root, "proc");
  mkdirSync(folder);
  let count = 0;
  const add = (osPid: number, startTicks: number, run?: string, home = "/home"): void => {
    const made = join(root, `made-${(count += 1)}`);
    mkdirSync(made);
    const fields = Array.from({ length: 49 }, (_, index) => (index === 18 ? startTicks : 0)).join(" ");
    writeFileSync(join(made, "stat"), `${osPid} (sleep) S 1 ${groupOf(osPid)} ${fields.slice("0 0 ".length)}\n`);
    writeFileSync(join(made, "environ"), run === undefined ? "A=1\0" : `COLOS_RUN=${run}\0COLOS_HOME=${home}\0`);
    // The one before keeps its inode until it is away.
    cpSync(made, join(root, `new-${count}`), { recursive: true });
    rmSync(join(folder, String(osPid)), { recursive: true, force: true });
    renameSync(join(root, `new-${count}`), join(folder, String(osPid)));
  };
  const setEnvironment = (osPid: number, text: string): void =>
    writeFileSync(join(folder, String(osPid), "environ"), text);
  return { folder, add, setEnvironment };
}

test("who has a run's mark is known, once it has been read", () => {
  const { folder, add } = procFolder();
  add(7, 70, "web.1.1");
  add(8, 80, "web.1.1", "/other/home");
  add(9, 90);
  const marks = new ProcessMarks("/home", folder);

  const looks = [marks.look(), marks.look()];

  for (const look of looks) expect([...look]).toEqual([["web.1.1", [{ osPid: 7, startTicks: 70 }]]]);
  expect(marks.readCount).toBe(3);
});

test("another OS process of the same pid is read anew, and whoever is gone is forgotten", () => {
  const { folder, add } = procFolder();
  add(7, 70, "web.1.1");
  add(8, 80);
  const marks = new ProcessMarks("/home", folder);
  marks.look();

  add(8, 88, "web.1.2");
  rmSync(join(folder, "7"), { recursive: true });

  expect([...marks.look()]).toEqual([["web.1.2", [{ osPid: 8, startTicks: 88 }]]]);
  expect(marks.readCount).toBe(3);
});

test("who was seen while it was being executed, without an environment yet, is looked at again", () => {
  const { folder, add, setEnvironment } = procFolder();
  for (const osPid of [kernelThread, 7]) add(osPid, 10 * osPid);
  for (const osPid of [kernelThread, 7]) setEnvironment(osPid, "");
  const marks = new ProcessMarks("/home", folder);
  expect([...marks.look()]).toEqual([]);

  setEnvironment(7, "COLOS_RUN=web.1.1\0COLOS_HOME=/home\0");

  for (const look of [marks.look(), marks.look()])
    expect([...look]).toEqual([["web.1.1", [{ osPid: 7, startTicks: 70 }]]]);
  expect(marks.readCount).toBe(3);
});
