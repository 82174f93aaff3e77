/**
 * The injectors, proved by what happens to a victim: while the fault is in force, after it was undone, and after the
 * injector itself was killed. What this machine cannot inject is skipped with what it needs.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  injectors,
  injectorsFor,
  injectorTable,
  openInjectors,
  probeOnce,
  Victim,
  type Injector,
  type StrikeOptions,
} from "colos/testing";
import { describe, expect, onTestFinished, test, type TestContext } from "vitest";
import { findProcessStat } from "../src/os/process-sample.ts";
import { faults, type FaultName } from "../src/faults/fault.ts";
import { gone } from "./system/os-processes.ts";
import { turn } from "./system/turn.ts";

const long: StrikeOptions = { forMs: 60_000 };
const spawnTrue = `return new Promise((resolve, reject) => {
  const child = require("child_process").spawn("true");
  child.on("error", reject).on("exit", resolve);
})`;
const write = (path: string): string => `require("fs").writeFileSync(${JSON.stringify(path)}, "x".repeat(100))`;

/** What a victim is asked in a fault's grip: the question, given the folder, and its answers during and after. */
interface Effect {
  readonly injector: string;
  readonly fault: FaultName;
  readonly before?: (folder: string) => string;
  readonly ask: (folder: string) => string;
  readonly during: unknown;
  readonly after: unknown;
}

const effects: readonly Effect[] = [
  {
    ...{ injector: "resource-limit", fault: "emfile", during: "EMFILE", after: "ok" },
    ask: () => 'const fs = require("fs"); fs.closeSync(fs.openSync("/dev/null"))',
  },
  {
    ...{ injector: "resource-limit", fault: "short-write", during: 4096, after: 10_000 },
    ask: (folder) =>
      `return require("fs").writeSync(require("fs").openSync("${folder}/long", "w"), Buffer.alloc(10000))`,
  },
  { injector: "full-device", fault: "enospc", ask: (folder) => write(`${folder}/kept`), during: "ENOSPC", after: "ok" },
  { injector: "small-tmpfs", fault: "enospc", ask: (folder) => write(`${folder}/new`), during: "ENOSPC", after: "ok" },
  { injector: "small-tmpfs", fault: "erofs", ask: (folder) => write(`${folder}/new`), during: "EROFS", after: "ok" },
  { injector: "strace", fault: "eio-write", ask: (folder) => write(`${folder}/kept`), during: "EIO", after: "ok" },
  { injector: "strace", fault: "enospc", ask: (folder) => write(`${folder}/kept`), during: "ENOSPC", after: "ok" },
  {
    ...{ injector: "strace", fault: "eio-read", during: "EIO", after: "kept" },
    ask: (folder) => `return require("fs").readFileSync("${folder}/kept", "utf8")`,
  },
  { injector: "strace", fault: "eagain-spawn", ask: () => spawnTrue, during: "EAGAIN", after: 0 },
  { injector: "strace", fault: "enomem-spawn", ask: () => spawnTrue, during: "ENOMEM", after: 0 },
  {
    ...{ injector: "strace", fault: "port-in-use", during: "EADDRINUSE", after: "ok" },
    ask: () => `return new Promise((resolve, reject) => {
      const server = require("net").createServer().on("error", reject).listen(0, "127.0.0.1", () => server.close(() => resolve("ok")));
    })`,
  },
  {
    ...{ injector: "strace", fault: "net-down", during: "ENETUNREACH", after: "ECONNREFUSED" },
    ask: () => `return new Promise((_, reject) => require("net").connect(1, "127.0.0.1").on("error", reject))`,
  },
  {
    ...{ injector: "net-namespace", fault: "net-down", during: "", after: "lo" },
    ask: () => 'return Object.keys(require("os").networkInterfaces()).join()',
  },
  {
    ...{ injector: "faked-time", fault: "clock-step", during: 1, after: 0 },
    before: () => "kept.wallMs = Date.now(); kept.ms = performance.now()",
    ask: () => "return Math.round((Date.now() - kept.wallMs - performance.now() + kept.ms) / 3_600_000)",
  },
  {
    ...{ injector: "loop-disk", fault: "eio-fsync-once", during: "failed, then ok", after: "ok, then ok" },
    before: (folder) => `kept.file = require("fs").openSync("${folder}/file", "a")`,
    ask: () => `const fs = require("fs");
      const sync = () => { try { fs.fsyncSync(kept.file); return "ok" } catch (error) {
        return ["EIO", "ENOSPC"].includes(error.code) ? "failed" : error.code } };
      fs.writeSync(kept.file, Buffer.alloc(4 << 20, "x"));
      return sync() + ", then " + sync()`,
  },
];

function named(name: string): Injector {
  const found = injectors.find((injector) => injector.name === name);
  if (found === undefined) throw new Error(`there is no injector ${name}`);
  return found;
}

/** Skips the test where the injector does not work. */
async function working(context: TestContext, name: string): Promise<Injector> {
  const injector = named(name);
  const probe = await probeOnce(injector);
  if (probe.works) return injector;
  const reason = `${name} needs ${injector.needs}: ${probe.reason}`;
  const isProgramAbsent = /ENOENT|not found/.test(probe.reason);
  if (isProgramAbsent && process.env["COLOS_REQUIRE_PROGRAMS"] === "1") throw new Error(reason);
  context.skip(reason);
  return injector;
}

/** A folder with a file, and a victim that is started to be struck by the injector. */
async function scene(
  injector: Injector,
): Promise<Awaited<ReturnType<typeof openInjectors>> & { folder: string; victim: Victim }> {
  const folder = mkdtempSync(join(tmpdir(), "colos-injectors-"));
  writeFileSync(join(folder, "kept"), "kept");
  const arsenal = await openInjectors([injector], { folder, limitMs: 60_000 });
  const victim = await Victim.start(arsenal.wrap);
  onTestFinished(async () => {
    await victim.end();
    await arsenal.close();
    rmSync(folder, { recursive: true });
  });
  return { ...arsenal, folder, victim };
}

describe("injectors", () => {
  for (const { injector: name, fault, before, ask, during, after } of effects) {
    test(`${name} makes ${fault}, and undoes it`, async (context) => {
      const injector = await working(context, name);
      const { folder, victim, strike } = await scene(injector);
      if (before !== undefined) await victim.run(before(folder));

      const struck = await strike(injector, fault, { osPid: victim.osPid, path: folder }, long);
      const whileStruck = await victim.run(ask(folder));
      await struck.undo();

      expect(whileStruck).toBe(during);
      expect(await victim.run(ask(folder))).toBe(after);
    });
  }

  test("strace lets one sync fail, and no more", async (context) => {
    const injector = await working(context, "strace");
    const { folder, victim, strike } = await scene(injector);
    await victim.run(`kept.file = require("fs").openSync("${folder}/kept", "a")`);
    const sync = 'require("fs").fsyncSync(kept.file)';

    const struck = await strike(injector, "eio-fsync-once", { osPid: victim.osPid, path: folder }, long);
    const first = await victim.run(sync);
    await struck.ended;

    expect([first, await victim.run(sync)]).toEqual(["EIO", "ok"]);
  });

  test("strace makes a disk slow", async (context) => {
    const injector = await working(context, "strace");
    const { folder, victim, strike } = await scene(injector);
    const timed = `const began = performance.now(); ${write(`${folder}/kept`)}; return performance.now() - began >= 500`;
    const unstruck = await victim.run(timed);

    await strike(injector, "slow-disk", { osPid: victim.osPid, path: folder }, long);

    expect([unstruck, await victim.run(timed)]).toEqual([false, true]);
  });

  test("strace lets go of a victim that is killed while its call is held up", async (context) => {
    const injector = await working(context, "strace");
    const { folder, victim, strike } = await scene(injector);
    const struck = await strike(injector, "slow-disk", { osPid: victim.osPid, path: folder }, long);

    const answer = victim.run(write(`${folder}/kept`));
    process.kill(victim.osPid, "SIGKILL");
    await struck.undo();

    expect(await answer).toMatch(/^ended/);
    expect(await victim.ended).toEqual({ code: null, signal: "SIGKILL" });
  });

  test("net-namespace leaves names unresolved", async (context) => {
    const { victim } = await scene(await working(context, "net-namespace"));
    const lookUp = (host: string): string => `return require("dns").promises.lookup("${host}").then(() => "found")`;

    expect(await victim.run(lookUp("example.com"))).toBe("EAI_AGAIN");
    expect(await victim.run(lookUp("localhost"))).toBe("found");
  });

  test("os-kill ends its victim with SIGKILL", async (context) => {
    const injector = await working(context, "os-kill");
    const { victim, strike } = await scene(injector);

    await strike(injector, "carrier-loss", victim, long);

    expect(await victim.ended).toEqual({ code: null, signal: "SIGKILL" });
  });

  test("control-group ends who asks for more memory than there is", async (context) => {
    const injector = await working(context, "control-group");
    const { victim, strike } = await scene(injector);

    const struck = await strike(injector, "oom-kill", victim, long);
    await victim.run('kept.all = []; for (;;) kept.all.push(Buffer.alloc(1 << 20, "x"))');
    const { signal } = await victim.ended;
    await struck.undo();

    expect(signal).toBe("SIGKILL");
  });

  for (const name of ["os-stop", "control-group"]) {
    test(`${name} makes its victim stand still until it is undone`, async (context) => {
      const injector = await working(context, name);
      const { victim, strike } = await scene(injector);
      const cpuMs = (): number | undefined => findProcessStat(victim.osPid)?.cpuMs;

      const struck = await strike(injector, "stop", victim, long);
      const before = cpuMs();
      const answer = victim.run("return 1");
      for (let turns = 0; turns < 20; turns += 1) await turn();
      const stood = cpuMs() === before;
      await struck.undo();

      expect(stood).toBe(true);
      expect(await answer).toBe(1);
    });
  }

  test("a strike ends by itself when its time is over", async (context) => {
    const injector = await working(context, "os-stop");
    const { victim, strike } = await scene(injector);

    const struck = await strike(injector, "stop", victim, { forMs: 30 });

    expect(await struck.ended).toBe(undefined);
    expect(await victim.run("return 1")).toBe(1);
  });

  for (const [name, fault, ask, answer] of [
    ["os-stop", "stop", "return 1", 1],
    ["resource-limit", "emfile", 'require("fs").openSync("/dev/null"); return "ok"', "ok"],
    ["strace", "eagain-spawn", spawnTrue, 0],
    ["control-group", "stop", "return 1", 1],
  ] as const)
    test(`${name} undoes ${fault} when it is killed itself`, async (context) => {
      const injector = await working(context, name);
      const { victim } = await scene(injector);
      const file = fileURLToPath(new URL("torture/striker.mjs", import.meta.url));
      const striker = spawn(process.execPath, [file, name, fault, String(victim.osPid)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await once(striker.stdout, "data");
      const guards = guardsOf(striker.pid as number);

      striker.kill("SIGKILL");
      await gone(striker.pid as number, ...guards);

      expect(guards).not.toEqual([]);
      expect(await victim.run(ask)).toBe(answer);
    });

  test("a victim that is gone is no victim", async (context) => {
    const injector = await working(context, "os-stop");
    const { victim, strike } = await scene(injector);
    await victim.end();

    await expect(strike(injector, "stop", victim, long)).rejects.toThrow(`there is no OS process ${victim.osPid}`);
  });

  test("only know faults of the catalogue, and say what they need", () => {
    for (const { faults: made, needs, undoneBy } of injectors) {
      expect(made.filter((fault) => !Object.hasOwn(faults, fault))).toEqual([]);
      expect([needs, undoneBy]).not.toContain("");
    }
    expect(injectorsFor("stop").map(({ name }) => name)).toEqual(["os-stop", "control-group"]);
  });

  test("the table says of each whether it works, and what else it needs", async () => {
    const absent: Injector = {
      ...named("os-kill"),
      ...{ name: "never", needs: "a machine of glass", debianPackage: "glass" },
      probe: async () => ({ works: false, reason: "this one is of steel" }),
    };

    const table = await injectorTable([named("os-kill"), absent]);

    expect(table).toMatch(/^os-kill +works$/m);
    expect(table).toMatch(/^never +does not work here$/m);
    expect(table).toContain("needs     a machine of glass (Debian package glass)");
    expect(table).toContain("because   this one is of steel");
  });
});

/** OS processes whose parent is `osPid`. */
function guardsOf(osPid: number): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && findProcessStat(pid)?.parentPid === osPid);
}
