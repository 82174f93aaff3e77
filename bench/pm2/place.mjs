/**
 * Place: the temporary folder of one manager under measurement, and the OS processes that belong to it.
 *
 * A process belongs to a place when its folder's path is in its environment or its command line, or when its parent belongs:
 * so daemons that have left their session are found too, and nothing else is ever ended.
 *
 * @module
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Text of a file of /proc; empty when the process is gone. */
function procText(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return "";
  }
}

export function commandLineOf(pid) {
  return procText(pid, "cmdline").replaceAll("\0", " ").trim();
}

/** True for what runs; a zombie does not. */
export function isAlive(pid) {
  return /^\S+ \(.*\) [^ZX] /s.test(procText(pid, "stat"));
}

/** Parent of each OS process that runs. */
function parents() {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return new Map(
    pids.flatMap((pid) => {
      const fields = /\) (\S) (\d+) /.exec(procText(pid, "stat"));
      return fields === null || fields[1] === "Z" ? [] : [[Number(pid), Number(fields[2])]];
    }),
  );
}

/** All below `roots` in the tree of OS processes, without them. */
export function descendantsOf(roots) {
  const byPid = parents();
  const below = (pid) => {
    const parent = byPid.get(pid);
    return parent !== undefined && (roots.includes(parent) || below(parent));
  };
  return [...byPid.keys()].filter((pid) => !roots.includes(pid) && below(pid));
}

const places = new Set();

/** Ends what is left when the benchmark itself is ended. */
export async function endAll() {
  await Promise.allSettled([...places].map((place) => place.end()));
}

export class Place {
  folder = mkdtempSync(join(tmpdir(), "colos-bench-"));

  constructor() {
    places.add(this);
  }

  /** Pids, lowest first. */
  processes() {
    const byPid = parents();
    const named = [...byPid.keys()].filter(
      (pid) =>
        pid !== process.pid &&
        (procText(pid, "environ").includes(this.folder) || procText(pid, "cmdline").includes(this.folder)),
    );
    const below = descendantsOf(named);
    return [...new Set([...named, ...below])].toSorted((a, b) => a - b);
  }

  /** Ends all that belongs, also what starts others meanwhile, and removes the folder. */
  async end() {
    const untilMs = performance.now() + 20_000;
    for (let quiet = 0; quiet < 5;) {
      const pids = this.processes();
      quiet = pids.length === 0 ? quiet + 1 : 0;
      for (const pid of pids) killQuietly(pid);
      if (performance.now() > untilMs) throw new Error(`${this.folder}: cannot be ended: ${pids.map(commandLineOf)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    places.delete(this);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function killQuietly(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
