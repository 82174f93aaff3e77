import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  containerCommand,
  containerInit,
  containerSentences,
  heapFlags,
  initProblem,
  readContainerLimits,
} from "../src/daemon/boot/container.ts";
import type { Words } from "../src/daemon/boot/startup.ts";
import { colosFile } from "./system/colos-process.ts";
import { childrenOf } from "./system/os-processes.ts";
import { turn } from "./system/turn.ts";

let folder: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "colos-container-"));
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, "exit");
    // --kill-child: what is in the namespace goes with it.
    child.kill("SIGKILL");
    await ended;
  }
  rmSync(folder, { recursive: true });
});

const namespace = ["--pid", "--fork", "--mount-proc", "--kill-child"] as const;
const asUser = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
/** Whether this machine lets a test make a pid namespace. */
const hasNamespaces = spawnSync("unshare", [...asUser, ...namespace, "true"]).status === 0;

/** A container of nothing but pids, in which `command` is pid 1. */
function container(command: Words, input: "pipe" | "ignore" = "ignore"): ChildProcess {
  const child = spawn("unshare", [...asUser, ...namespace, ...command], { stdio: [input, "pipe", "inherit"] });
  children.push(child);
  return child;
}

async function lineOf(child: ChildProcess): Promise<string> {
  const [data] = (await once(child.stdout!, "data")) as [Buffer];
  return data.toString().trim();
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

/** Makes an orphan that ends at once, and says how it is when it is nobody's to wait for, and when it is gone. */
const orphans = `
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const { readFileSync } = require("node:fs");
const stat = (pid) => { try { return readFileSync("/proc/" + pid + "/stat", "utf8").split(") ")[1].split(" "); } catch { return ["gone"]; } };
const parent = spawn("/bin/sh", ["-c", "/bin/sh -c 'read -r _' <&3 >/dev/null & echo $!"], { stdio: ["ignore", "pipe", "inherit", "pipe"] });
let said = "";
parent.stdout.on("data", (data) => (said += data));
// Not "close": the orphan holds the pipe to its stdin.
Promise.all([once(parent.stdout, "end"), once(parent, "exit")]).then(() => {
  const orphan = Number(said);
  if (stat(orphan)[1] !== "1") throw new Error("its parent is " + stat(orphan)[1]);
  parent.stdio[3].end();
  const look = () => {
    const [state] = stat(orphan);
    if (state !== "gone" && state !== "Z") return setImmediate(look);
    // Node would have reaped it with its own children, if it could.
    spawn("true").on("close", () => console.log(stat(orphan)[0]));
  };
  if (process.argv[1] === "wait") {
    const gone = () => (stat(orphan)[0] === "gone" ? console.log("gone") : setImmediate(gone));
    gone();
  } else look();
});
`;

describe("container: pid 1", () => {
  beforeEach((context) => {
    if (!hasNamespaces) context.skip("this machine forbids pid namespaces, or has no unshare(1)");
  });

  test("orphans are reaped", async () => {
    const box = container(containerCommand([process.execPath, "-e", orphans, "wait"]));

    expect(await lineOf(box)).toBe("gone");
    expect(await exitOf(box)).toBe(0);
  });

  test("Node alone leaves them as zombies", async () => {
    const box = container([process.execPath, "-e", orphans]);

    expect(await lineOf(box)).toBe("Z");
  });

  test("OS signals come to the command, and its exit code goes out", async () => {
    const script = 'process.on("SIGTERM", () => process.exit(7)); console.log("up"); setInterval(() => {}, 1e6)';
    const box = container(containerCommand([process.execPath, "-e", script]));
    await lineOf(box);

    process.kill(childrenOf(box.pid!)[0]!.pid, "SIGTERM");

    expect(await exitOf(box)).toBe(7);
  });

  test("many OS signals are not lost, and do not end the wait", async () => {
    const script =
      'let n = 0; process.on("SIGUSR2", () => { console.log(`got ${++n}`); if (n === 3) process.exit(9); });' +
      'console.log("up"); setInterval(() => {}, 1e6)';
    const box = container(containerCommand([process.execPath, "-e", script]));
    await lineOf(box);

    for (let count = 1; count <= 3; count += 1) {
      process.kill(childrenOf(box.pid!)[0]!.pid, "SIGUSR2");
      expect(await lineOf(box)).toBe(`got ${count}`);
    }
    expect(await exitOf(box)).toBe(9);
  });

  test("a command that an OS signal ended gives 128 and its number", async () => {
    const box = container(containerCommand([process.execPath, "-e", 'process.kill(process.pid, "SIGKILL")']));

    expect(await exitOf(box)).toBe(137);
  });

  test("stdin is the command's", async () => {
    const box = container(containerCommand(["cat"]), "pipe");
    box.stdin!.end("hello\n");

    expect(await lineOf(box)).toBe("hello");
    expect(await exitOf(box)).toBe(0);
  });
});

describe("colos up --container", () => {
  beforeEach((context) => {
    if (!hasNamespaces) context.skip("this machine forbids pid namespaces, or has no unshare(1)");
  });

  /** colos behind its init, with these services, and everything that it says. */
  function colos(services: object): { readonly box: ChildProcess; said: string } {
    const config = join(folder, "colos.config.json");
    writeFileSync(config, JSON.stringify({ services }));
    const command = [process.execPath, colosFile, "up", "--container", config, "--home", join(folder, "home")] as const;
    const system = { box: container(containerCommand(command)), said: "" };
    system.box.stdout!.setEncoding("utf8").on("data", (text: string) => void (system.said += text));
    return system;
  }

  async function says(system: { readonly said: string }, ...texts: readonly string[]): Promise<void> {
    while (!texts.every((text) => system.said.includes(text))) await turn();
  }

  const initOf = (box: ChildProcess): number => childrenOf(box.pid!)[0]!.pid;

  test("what services write comes out, and SIGTERM stops them in order: exit code 0", async () => {
    const command = (name: string): string[] => [
      "sh",
      "-c",
      `trap 'echo ${name} goes; exit 0' TERM; echo ${name} is up; while :; do sleep 0.02; done`,
    ];
    const system = colos({
      db: { command: command("db"), ready: { log: "up" } },
      web: { command: command("web"), ready: { log: "up" }, dependsOn: ["db"] },
    });
    await says(system, "db | db is up", "web | web is up", "colos | web is ready");

    process.kill(initOf(system.box), "SIGTERM");
    expect(await exitOf(system.box)).toBe(0);
    await says(system, "db | db goes");

    expect(system.said.indexOf("web | web goes")).toBeGreaterThanOrEqual(0);
    expect(system.said.indexOf("web | web goes")).toBeLessThan(system.said.indexOf("db | db goes"));
    expect(existsSync(join(folder, "home/heart"))).toBe(false);
  });

  test("a service that fails does not end it, and its orphans are reaped", async () => {
    const orphan = `p=$(sh -c 'true >/dev/null & echo $!'); while [ -e /proc/$p ]; do sleep 0.02; done`;
    const system = colos({
      bad: { command: ["sh", "-c", "exit 3"], restart: "temporary" },
      web: { command: ["sh", "-c", `${orphan}; echo reaped; exec sleep 1000`] },
    });

    await says(system, "web | reaped", "colos | bad is failed: exit code 3");

    process.kill(initOf(system.box), "SIGINT");
    expect(await exitOf(system.box)).toBe(0);
  });

  test("a daemon that cannot be is an exit code and a sentence", async () => {
    mkdirSync(join(folder, "home"), { mode: 0o755 });
    const { box } = colos({ web: { command: ["sleep", "1000"] } });

    expect(await exitOf(box)).toBe(5);
  });
});

describe("container: limits", () => {
  function cgroup(files: Readonly<Record<string, string>>, own = "0::/\n"): Parameters<typeof readContainerLimits> {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(folder, path, ".."), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    writeFileSync(join(folder, "own"), own);
    return [folder, join(folder, "own")];
  }

  test("cgroup v2 says what there is", () => {
    const files = { "memory.max": "536870912\n", "pids.max": "100\n", "cpu.max": "150000 100000\n" };

    const limits = readContainerLimits(...cgroup(files));

    expect(limits).toEqual({ memoryMaxBytes: 536_870_912, pidsMax: 100, cpusMax: 1.5 });
    expect(containerSentences(limits)).toEqual([
      "the container has 512 MiB of memory",
      "the container has room for 100 OS processes and threads",
      "the container has 1.5 of the machine's cores",
    ]);
  });

  test("a limit further up holds too", () => {
    const files = { "a/memory.max": "1000000\n", "a/b/memory.max": "max\n", "a/b/cpu.max": "max 100000\n" };

    expect(readContainerLimits(...cgroup(files, "0::/a/b\n"))).toEqual({ memoryMaxBytes: 1_000_000 });
  });

  test("cgroup v1 says it elsewhere, and its largest number is none", () => {
    const files = {
      "memory/memory.limit_in_bytes": "268435456\n",
      "pids/pids.max": "max\n",
      "cpu/cpu.cfs_quota_us": "-1\n",
      "cpu/cpu.cfs_period_us": "100000\n",
    };

    expect(readContainerLimits(...cgroup(files, "4:memory:/x\n"))).toEqual({ memoryMaxBytes: 268_435_456 });
    expect(readContainerLimits(...cgroup({ "memory/memory.limit_in_bytes": "9223372036854771712\n" }))).toEqual({});
  });

  test("without limits nothing is said", () => {
    expect(readContainerLimits(...cgroup({}))).toEqual({});
    expect(containerSentences({})).toEqual([]);
    expect(heapFlags({})).toEqual([]);
  });

  test("the daemon's heap is a share of the memory, not too little and not too much", () => {
    const flag = (mebibytes: number): string => heapFlags({ memoryMaxBytes: mebibytes * 2 ** 20 })[0]!;

    expect(flag(100)).toBe("--max-old-space-size=64");
    expect(flag(1_024)).toBe("--max-old-space-size=256");
    expect(flag(100_000)).toBe("--max-old-space-size=512");
  });

  test("only pid 1 has a problem with orphans", () => {
    expect(initProblem(1)).toMatch(/^colos is pid 1 .*docker run --init/);
    expect(initProblem(2)).toBeUndefined();
  });
});

test("the example's init is this one", () => {
  expect(readFileSync(join(import.meta.dirname, "../examples/container/init.sh"), "utf8")).toBe(containerInit);
});
