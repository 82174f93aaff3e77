import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { acquireLock, isLock, LockError, type Lock } from "./lock.ts";
import { identityOf } from "./os-identity.ts";

let folder: string;
let path: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "colos-lock-"));
  path = join(folder, "lock");
});

afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  rmSync(folder, { recursive: true });
});

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** Another OS process that opens the file and locks it as `acquireLock` does, and lives until it is killed. */
async function holder(): Promise<ChildProcess> {
  const script = 'exec 3<>"$1"; flock -n 3 || exit 1; echo held; exec 4<&0; read -r _ <&4';
  const child = spawn("/bin/sh", ["-c", script, "holder", path], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  await once(child.stdout!, "data");
  return child;
}

async function taken(): Promise<Lock> {
  const outcome = await acquireLock(path);
  if (!isLock(outcome)) throw new Error("somebody else has the lock");
  return outcome;
}

describe("lock", () => {
  test("the file says who has it", async () => {
    const lock = await taken();

    const { osPid, startTicks, bootId } = identityOf(process.pid)!;
    expect(readFileSync(path, "utf8")).toBe(`${osPid}\n${startTicks}\n${bootId}\n`);
    await lock.release();
  });

  test("who comes second is told who has it", async () => {
    const lock = await taken();

    expect(await acquireLock(path)).toEqual({ heldBy: identityOf(process.pid) });
    await lock.release();
  });

  test("of many who come at once, one has it", async () => {
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => acquireLock(path)));

    const locks = outcomes.filter(isLock);
    expect(locks).toHaveLength(1);
    await locks[0]!.release();
  });

  test("what a dead holder's child still holds for a moment is waited for", async () => {
    await (await taken()).release();
    writeFileSync(path, "999999999\n1\n00000000-0000-4000-8000-000000000000\n");
    const child = await holder();

    const waiting = acquireLock(path);
    await kill(child);

    const outcome = await waiting;
    expect(isLock(outcome)).toBe(true);
    if (isLock(outcome)) await outcome.release();
  });

  test("a lock that nobody alive says to hold and that stays taken is refused, and no dead one is named", async () => {
    writeFileSync(path, "999999999\n1\n00000000-0000-4000-8000-000000000000\n");
    await holder();

    expect(await acquireLock(path)).toEqual({ heldBy: undefined });
  });

  test("it is free again once it was released", async () => {
    await (await taken()).release();

    await (await taken()).release();
  });

  test("who is stopped holds it, and who is killed does not", async () => {
    const other = await holder();
    other.kill("SIGSTOP");

    expect(await acquireLock(path)).toEqual({ heldBy: undefined });
    await kill(other);
    await (await taken()).release();
  });

  test("what an earlier holder left in the file does not hold it", async () => {
    writeFileSync(path, `1\n1\n${"0".repeat(36)}\nand much more of an old format that was longer\n`);

    const lock = await taken();

    expect(readFileSync(path, "utf8").split("\n")[0]).toBe(String(process.pid));
    await lock.release();
  });

  test("a child that outlives the holder does not hold it", async () => {
    const lock = await taken();
    const child = spawn("/bin/sh", ["-c", "echo up; read -r _"], { stdio: ["pipe", "pipe", "inherit"] });
    children.push(child);
    await once(child.stdout, "data");

    const open = readdirSync(`/proc/${child.pid}/fd`).map((fd) => linkOf(`/proc/${child.pid}/fd/${fd}`));
    await lock.release();

    expect(open).not.toContain(path);
    await (await taken()).release();
  });

  test("where there is no flock(1), that is said and nothing is locked", async () => {
    const pathBefore = process.env["PATH"];
    process.env["PATH"] = folder;
    try {
      await expect(acquireLock(path)).rejects.toThrow(/needs flock\(1\).*install util-linux/);
    } finally {
      process.env["PATH"] = pathBefore;
    }
  });

  test("a flock(1) that fails is no lock", async () => {
    const programs = join(folder, "programs");
    mkdirSync(programs);
    writeFileSync(join(programs, "flock"), "#!/bin/sh\necho 'flock: 3: No locks available' >&2\nexit 1\n");
    chmodSync(join(programs, "flock"), 0o755);
    const pathBefore = process.env["PATH"];
    process.env["PATH"] = programs;
    try {
      const failure = await acquireLock(path).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(LockError);
      expect((failure as Error).message).toBe(`cannot lock ${path}: flock: 3: No locks available`);
    } finally {
      process.env["PATH"] = pathBefore;
    }
  });
});

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
