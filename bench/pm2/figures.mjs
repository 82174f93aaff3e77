/**
 * Figures: medians, memory of OS processes, and waiting for something to be so.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { get } from "node:http";

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** `share` 0.5 is the median. */
export function quantile(values, share) {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

export const median = (values) => quantile(values, 0.5);

const memoryZero = { rss: 0, pss: 0, private: 0 };

/** Bytes of one OS process; nothing when it has ended. RSS counts what is shared whole, PSS its part, private none of it. */
export function memoryOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    const bytes = (name) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
    return { rss: bytes("Rss"), pss: bytes("Pss"), private: bytes("Private_Clean") + bytes("Private_Dirty") };
  } catch {
    return memoryZero;
  }
}

/** Cheaper than `memoryOf`, for samples. */
export function residentOf(pid) {
  try {
    return 4096 * Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  } catch {
    return 0;
  }
}

export function sum(memories) {
  return memories.reduce(
    (all, each) => ({ rss: all.rss + each.rss, pss: all.pss + each.pss, private: all.private + each.private }),
    memoryZero,
  );
}

/** Runs a command to its end: what it wrote, and how long it took. Rejects when it takes longer than `timeoutMs`. */
export function run([file, ...args], { env, cwd, timeoutMs = 120_000 }) {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    let ms;
    child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
    const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    const settle = () => resolve({ code: child.exitCode, stdout, stderr, ms });
    child.on("error", reject);
    child.on("close", () => clearTimeout(timer));
    child.on("exit", (code, signal) => {
      ms = performance.now() - startedAt;
      if (signal !== null) reject(new Error(`${args.join(" ")} was ended by ${signal} after ${Math.round(ms)} ms`));
      // What a command leaves behind may hold its pipes; what it wrote itself is there by now.
      else setTimeout(settle, 50);
    });
  });
}

/** `look` until it gives something that is neither undefined nor false. */
export async function until(what, look, { everyMs = 20, timeoutMs = 60_000 } = {}) {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endMs) throw new Error(`${what}: not so after ${timeoutMs} ms`);
    await pause(everyMs);
  }
}

/** The body of a GET of `port` on a connection of its own; undefined when there is none. */
export function ask(port, timeoutMs = 1_000) {
  return new Promise((resolve) => {
    const request = get({ host: "127.0.0.1", port, agent: false, timeout: timeoutMs }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text) => (body += text));
      response.on("end", () => resolve(body));
      response.on("error", () => resolve());
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve());
  });
}
