/**
 * Kinds: what colos itself can be short of, how that is brought about, and how it ends.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { chownSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { findProgram } from "../system/find-program.ts";
import { asUser, type System } from "./system.ts";
import { descriptorsOf, hardLimitOf } from "./watcher.ts";

/** The file system that is filled, in bytes. */
const diskBytes = 16 * 1024 * 1024;

export interface Kind {
  readonly name: string;
  readonly about: string;
  /** Why it cannot be brought about here; undefined: it can. */
  absent(dist: URL): string | undefined;
  /** Who the system runs as. */
  userId?(): number;
  /** Before the system is started. */
  prepare?(system: System): void;
  /** Words that start what follows them. */
  readonly wrap?: readonly string[];
  /** Starts it some other way than by `colos up`; settles once that is under way. */
  start?(system: System): void;
  begin(system: System): void;
  end(system: System): void;
  /** After the system has ended. */
  cleanUp?(system: System): void;
  /** What people must be told meanwhile; absent: nothing is short that could be seen. */
  readonly says?: RegExp;
  /** In the middle the daemon is killed, and its heart must bring it back. */
  readonly killsDaemon?: boolean;
}

/** As the user of the system: root itself may be forbidden to touch another user's limits. */
function limitOwn({ ownPids, userId }: System, limitOf: (osPid: number) => string): void {
  for (const osPid of ownPids) {
    const [file, ...args] = [...asUser(userId), "prlimit", `--pid=${osPid}`, limitOf(osPid)];
    mustRun(file!, args);
  }
}

function mustRun(file: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(file, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${file} ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
}

const isRoot = (): boolean => process.getuid?.() === 0;
const needs = (...programs: readonly string[]): string | undefined => {
  const missing = programs.filter((program) => findProgram(program) === undefined);
  return missing.length === 0 ? undefined : `needs ${missing.join(", ")}`;
};

/** Everything of colos, and the services, may have 64 from the beginning. */
const few: Kind = {
  name: "nofile-64",
  about: "file descriptors: 64 for daemon, recorder, heart and every service, from the beginning",
  absent: () => needs("prlimit"),
  // Node raises its soft limit to the hard one, which therefore must be 64 too.
  wrap: ["prlimit", "--nofile=64:64"],
  killsDaemon: true,
  begin: () => {},
  // Nobody but a real root may raise a hard limit again, so it stays.
  end: () => {},
};

/** Not one more than what is open. */
const none: Kind = {
  name: "nofile-none",
  about: "file descriptors: daemon, recorder and heart get not one more than they have open",
  absent: () => needs("prlimit"),
  says: /file descriptors|EMFILE|too many open/i,
  begin: (system) => limitOwn(system, (osPid) => `--nofile=${descriptorsOf(osPid)}:`),
  end: (system) => limitOwn(system, (osPid) => `--nofile=${hardLimitOf(osPid, "Max open files")}:`),
};

/** Each fork fails with EAGAIN. */
const noForks: Kind = {
  name: "nproc",
  about: "OS processes: daemon, recorder and heart can start none, because their user has as many as it may have",
  absent: (dist) => {
    if (!isRoot()) return "needs root, to run as a user whom nobody else uses";
    const missing = needs("prlimit", "setpriv", "bash");
    if (missing !== undefined) return missing;
    const bin = fileURLToPath(new URL("bin.cjs", dist));
    const [file, ...args] = [...asUser(freeUser()), process.execPath, bin, "--version"];
    return spawnSync(file!, args).status === 0 ? undefined : "needs a copy of colos that every user may read";
  },
  userId: freeUser,
  says: /EAGAIN|Cannot fork|temporarily unavailable|too many OS processes|OS processes/i,
  begin: (system) => limitOwn(system, () => "--nproc=1:"),
  end: (system) => limitOwn(system, (osPid) => `--nproc=${hardLimitOf(osPid, "Max processes")}:`),
};

/** The home stands on a file system of its own, and not one byte is left. */
const fullDisk: Kind = {
  name: "disk",
  about: "state mount: the file system of the home has not one byte left",
  absent: () => needs("mount", "umount") ?? (isRoot() ? mountRefusal() : "needs root, to mount a file system"),
  killsDaemon: true,
  says: /disk is full|ENOSPC|no space left/i,
  prepare: ({ home }) => {
    mustRun("mount", ["-t", "tmpfs", "-o", `size=${diskBytes},mode=0700`, "colos-exhaustion", home.root]);
    const { uid } = statSync(join(home.root, ".."));
    chownSync(home.root, uid, uid);
  },
  begin: ({ home }) => fill(home.root),
  end: ({ home }) => {
    for (const name of readdirSync(home.root)) if (name.startsWith("ballast")) rmSync(join(home.root, name));
  },
  cleanUp: ({ home }) => mustRun("umount", ["-l", home.root]),
};

function fill(folder: string): void {
  // What is freed meanwhile, such as by a file that is written anew, is taken too.
  for (let count = 0; ; count += 1) {
    const { bavail, bsize } = statfsSync(folder);
    if (bavail === 0 || count > 100) return;
    try {
      writeFileSync(join(folder, `ballast-${count}-${randomInt(1e9)}`), Buffer.alloc(bavail * bsize));
    } catch {
      // It has taken what there was.
    }
  }
}

function mountRefusal(): string | undefined {
  const { status, stderr } = spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "none", "/mnt"], { encoding: "utf8" });
  return status === 0 ? undefined : `needs mount(2): ${stderr.trim()}`;
}

const withoutStreams = ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"] as const;

/** `colos up` with all three streams closed; the daemon lives on without any. */
const noStreams: Kind = {
  name: "streams-closed",
  about: "streams: colos up with stdin, stdout and stderr closed",
  absent: () => undefined,
  wrap: withoutStreams,
  killsDaemon: true,
  begin: () => {},
  end: () => {},
};

/** A container whose stdout and stderr are not what they should be. Everything that services write goes there too. */
function contained(name: string, about: string, start: (system: System) => void): Kind {
  return { name, about: `streams: ${about}`, absent: () => undefined, start, begin: () => {}, end: () => {} };
}

const command = (system: System): [string, ...string[]] => system.words("up", "--container");
const containers: readonly Kind[] = [
  contained("container-closed", "colos up --container with stdin, stdout and stderr closed", (system) => {
    system.stay([...withoutStreams, ...command(system)], "ignore");
  }),
  contained(
    "container-gone",
    "colos up --container whose stdout and stderr nobody has open any more (EPIPE)",
    (system) => {
      const { stdout, stderr } = system.stay(command(system), ["ignore", "pipe", "pipe"]);
      stdout!.destroy();
      stderr!.destroy();
    },
  ),
  contained("container-full", "colos up --container whose stdout and stderr are pipes that nobody reads", (system) => {
    system.stay(command(system), ["ignore", "pipe", "pipe"]);
  }),
];

/** A user id that nobody has, and no OS process runs as. */
function freeUser(): number {
  const used = new Set<number>();
  for (const name of readdirSync("/proc")) {
    try {
      if (/^\d+$/.test(name)) used.add(statSync(`/proc/${name}`).uid);
    } catch {
      // It has ended.
    }
  }
  for (;;) {
    const id = randomInt(200_000, 2_000_000);
    if (!used.has(id)) return id;
  }
}

export const kinds: readonly Kind[] = [few, none, noForks, fullDisk, noStreams, ...containers];
