/** Node platform: timers against a scripted host clock, stray errors in real child processes and threads. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { hostTimerMaxMs } from "./node-clock.ts";
import { idLengthChars, logLineMaxChars, nodePlatform } from "./node-platform.ts";

/** A host whose timers are fired by hand and whose clock says what the test tells it. */
function scriptedHost(): { delays: number[]; fireNext(nowMs: number): void } {
  let nowMs = 0;
  const delays: number[] = [];
  const pending: (() => void)[] = [];
  vi.spyOn(performance, "now").mockImplementation(() => nowMs);
  vi.spyOn(globalThis, "setTimeout").mockImplementation(((fire: () => void, delayMs: number) => {
    delays.push(delayMs);
    pending.push(fire);
    return {};
  }) as never);
  return {
    delays,
    fireNext(atMs) {
      nowMs = atMs;
      pending.shift()!();
    },
  };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("node platform: clock", () => {
  test("a timer that the host fires early is armed again for the rest", () => {
    const host = scriptedHost();
    const fired = vi.fn<() => void>();

    nodePlatform().clock.timer(10, fired);
    host.fireNext(9.2);
    expect(fired).not.toHaveBeenCalled();
    host.fireNext(10);

    expect(fired).toHaveBeenCalledTimes(1);
    expect(host.delays).toEqual([10, 1]);
  });

  test("a delay over the host's limit is waited for in parts", () => {
    const host = scriptedHost();
    const fired = vi.fn<() => void>();

    nodePlatform().clock.timer(hostTimerMaxMs + 500, fired);
    host.fireNext(hostTimerMaxMs);
    expect(fired).not.toHaveBeenCalled();
    host.fireNext(hostTimerMaxMs + 500);

    expect(fired).toHaveBeenCalledTimes(1);
    expect(host.delays).toEqual([hostTimerMaxMs, 500]);
  });

  test("no real timer fires before its delay has passed", async () => {
    const { clock } = nodePlatform();
    const delays = Array.from({ length: 300 }, (_, index) => (index % 30) * 0.37);

    const early = await Promise.all(
      delays.map((delayMs) => {
        const startMs = clock.monotonicMs();
        return new Promise<number>((resolve) => {
          clock.timer(delayMs, () => resolve(clock.monotonicMs() - startMs - delayMs));
        });
      }),
    );

    expect(Math.min(...early)).toBeGreaterThanOrEqual(0);
  });

  test("a cancelled timer does not fire, also after it was armed again", () => {
    const host = scriptedHost();
    const cleared = vi.spyOn(globalThis, "clearTimeout");
    const fired = vi.fn<() => void>();

    const cancel = nodePlatform().clock.timer(10, fired);
    host.fireNext(9);
    cancel();
    cancel();

    expect(cleared).toHaveBeenCalledTimes(2);
    expect(fired).not.toHaveBeenCalled();
  });
});

describe("node platform: scheduling", () => {
  test("a microtask runs before a macrotask", async () => {
    const { scheduling } = nodePlatform();
    const order: string[] = [];

    await new Promise<void>((resolve) => {
      scheduling.macrotask(() => {
        order.push("macrotask");
        resolve();
      });
      scheduling.microtask(() => order.push("microtask"));
    });

    expect(order).toEqual(["microtask", "macrotask"]);
  });
});

describe("node platform: random and ids", () => {
  test("random draws whole numbers over the full range of 32 bits", () => {
    const { random } = nodePlatform();
    const draws = Array.from({ length: 20_000 }, () => random("test"));

    expect(draws.every((draw) => Number.isInteger(draw) && draw >= 0 && draw < 2 ** 32)).toBe(true);
    for (let bit = 0; bit < 32; bit++) {
      const ones = draws.filter((draw) => Math.floor(draw / 2 ** bit) % 2 === 1).length;
      expect(ones).toBeGreaterThan(9_300); // ten standard deviations
      expect(ones).toBeLessThan(10_700);
    }
  });

  test("two platforms draw different numbers", () => {
    const draw = (): number[] => Array.from({ length: 4 }, nodePlatform().random.bind(undefined, "test"));

    expect(draw()).not.toEqual(draw());
  });

  test("ids are short, safe as file names and arguments, and do not repeat", () => {
    const { id } = nodePlatform();
    const ids = Array.from({ length: 10_000 }, () => id("test"));

    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((each) => each.length === idLengthChars && /^[0-9a-z]+$/.test(each))).toBe(true);
  });
});

describe("node platform: log", () => {
  function lines(options: { logLevel?: "debug" } = {}): {
    lines: string[];
    log: ReturnType<typeof nodePlatform>["log"];
  } {
    const written: string[] = [];
    return { lines: written, log: nodePlatform({ ...options, writeLine: (line) => written.push(line) }).log };
  }

  test("warnings and errors are written, the rest is not", () => {
    const sink = lines();

    for (const level of ["debug", "info", "warning", "error"] as const) sink.log(level, "said");

    expect(sink.lines).toEqual(["colos warning: said", "colos error: said"]);
  });

  test("the level is a choice", () => {
    const sink = lines({ logLevel: "debug" });

    sink.log("debug", "said");

    expect(sink.lines).toEqual(["colos debug: said"]);
  });

  test("an entry is one line whatever is in it", () => {
    const sink = lines();

    sink.log("error", "first\nsecond", { name: "web", error: new Error("third\r\nfourth"), list: [1, 2], text: "a b" });

    expect(sink.lines).toHaveLength(1);
    expect(sink.lines[0]).toMatch(/^colos error: first \| second name=web error=Error: third \| fourth/);
    expect(sink.lines[0]).toContain(" list=[ 1, 2 ] text='a b'");
    expect(sink.lines[0]).not.toMatch(/[\r\n]/);
  });

  test("a stack shows the frames of the program, and all frames when colos itself failed", () => {
    const sink = lines();
    const own = `    at Kernel.end (${new URL("../../kernel/kernel.ts", import.meta.url).href}:3:1)`;
    const host = "    at process.emit (node:events:519:28)";

    sink.log("error", ["Error: no", "    at add (file:///shop/basket.ts:7:2)", own, host].join("\n"));
    sink.log("error", ["Error: no", own, host].join("\n"));

    expect(sink.lines[0]).toBe("colos error: Error: no | at add (file:///shop/basket.ts:7:2)");
    expect(sink.lines[1]).toContain("Kernel.end");
    expect(sink.lines[1]).toContain("process.emit");
  });

  test("a long entry is cut", () => {
    const sink = lines();

    sink.log("error", "x".repeat(2 * logLineMaxChars));

    expect(sink.lines[0]).toHaveLength(logLineMaxChars);
  });

  test("facts that throw and a sink that throws do not reach the caller", () => {
    const sink = lines();
    const facts = {
      get hostile(): never {
        throw new Error("hostile");
      },
    };
    const broken = nodePlatform({
      writeLine: () => {
        throw new Error("EPIPE");
      },
    });

    sink.log("error", "said", facts);
    broken.log("error", "said");

    expect(sink.lines).toEqual(["colos error: said hostile=(unreadable)"]);
  });
});

describe("node platform: stray errors", () => {
  const folder = mkdtempSync(join(tmpdir(), "colos-platform-"));
  const here = fileURLToPath(new URL(".", import.meta.url));

  beforeAll(async () => {
    const options = { format: "esm", platform: "node", bundle: true } as const;
    await build({ ...options, entryPoints: [join(here, "node-platform.ts")], outfile: join(folder, "platform.mjs") });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Runs `body` in a Node of its own; `platform`, `told` and `owned` are at hand there. */
  function run(body: string, nodeFlags: string[] = []): { code: number | null; out: string; err: string } {
    const file = join(folder, "body.mjs");
    writeFileSync(
      file,
      `import { nodePlatform } from "./platform.mjs";
       import { EventEmitter } from "node:events";
       import { createReadStream } from "node:fs";
       import { Worker } from "node:worker_threads";
       const platform = nodePlatform();
       const owned = (body) => platform.strays.run({ name: "owner" }, body);
       const told = (owner, error) => console.log(owner.name + ": " + (error?.message ?? error));
       ${body}`,
    );
    const result = spawnSync(process.execPath, [...nodeFlags, file], { encoding: "utf8" });
    return { code: result.status, out: result.stdout, err: result.stderr };
  }

  const kinds: Readonly<Record<string, readonly [string, string]>> = {
    "a rejected promise nobody awaits": [`void Promise.reject(new Error("lost"))`, "lost"],
    "a throw in a timer": [`setTimeout(() => { throw new Error("late") })`, "late"],
    "a rejection inside a timer": [`setTimeout(async () => { throw new Error("both") })`, "both"],
    "an emitter's error without a listener": [
      `setImmediate(() => new EventEmitter().emit("error", new Error("emitted")))`,
      "emitted",
    ],
    "a stream's error without a listener": [
      `createReadStream("/does/not/exist")`,
      "ENOENT: no such file or directory, open '/does/not/exist'",
    ],
  };

  for (const [kind, [cause, message]] of Object.entries(kinds)) {
    test(`${kind} is charged to its owner and the OS process lives on`, () => {
      const result = run(`platform.strays.listen(told); owned(() => { ${cause} });`);

      expect(result).toEqual({ code: 0, out: `owner: ${message}\n`, err: "" });
    });

    test(`${kind} without an owner ends the OS process as without colos`, () => {
      const with_ = run(`platform.strays.listen(told);   ${cause};`);
      const without = run(`void platform.strays.listen; ${cause};`);

      expect(with_.code).toBe(1);
      expect(with_.err).toContain(message);
      expect(with_.err).toMatch(/\nNode\.js v\d/);
      // Only the column in our one line of source differs.
      const plain = (text: string): string =>
        text.replaceAll(/:\d+:\d+|platform\.strays\.listen\(told\);   |void platform\.strays\.listen; |^ +\^$/gm, "");
      expect(plain(with_.err)).toBe(plain(without.err));
    });
  }

  test("a value that is no Error is charged as it is", () => {
    const result = run(`platform.strays.listen(told); owned(() => { void Promise.reject(42); });`);

    expect(result).toEqual({ code: 0, out: "owner: 42\n", err: "" });
  });

  test("in a worker thread an owned error is charged and an unowned one ends the thread", () => {
    const thread = (cause: string): string => `
      if ((await import("node:worker_threads")).isMainThread) {
        const worker = new Worker(new URL(import.meta.url));
        worker.on("error", (error) => console.log("thread ended: " + error.message));
        worker.on("exit", (code) => console.log("exit " + code));
      } else { platform.strays.listen(told); ${cause} }`;
    const cause = `setTimeout(() => { throw new Error("late") });`;

    expect(run(thread(`owned(() => { ${cause} });`)).out).toBe("owner: late\nexit 0\n");
    expect(run(thread(cause)).out).toBe("thread ended: late\nexit 1\n");
  });

  test("another handler sees errors without an owner and no others", () => {
    const result = run(`
      platform.strays.listen(told);
      process.on("uncaughtException", (error, origin) => console.log("other: " + error.message + " " + origin));
      process.on("unhandledRejection", (error) => console.log("other: " + error.message));
      void Promise.reject(new Error("a"));
      setTimeout(() => { throw new Error("b") });
      owned(() => { void Promise.reject(new Error("c")); setTimeout(() => { throw new Error("d") }); });`);

    expect(result.out.trim().split("\n").toSorted()).toEqual([
      "other: a",
      "other: b uncaughtException",
      "owner: c",
      "owner: d",
    ]);
    expect(result.code).toBe(0);
  });

  test("Node's own choice for unhandled rejections still holds for those without an owner", () => {
    const result = run(`platform.strays.listen(told); void Promise.reject(new Error("quiet"));`, [
      "--unhandled-rejections=warn",
    ]);

    expect(result.code).toBe(0);
    expect(result.err).toContain("UnhandledPromiseRejectionWarning: Error: quiet");
  });

  test("what a listener starts does not belong to the owner", () => {
    const result = run(`
      platform.strays.listen((owner, error) => { told(owner, error); setTimeout(() => { throw new Error("of the system") }); });
      owned(() => { void Promise.reject(new Error("of the owner")); });`);

    expect(result.code).toBe(1);
    expect(result.out).toBe("owner: of the owner\n");
    expect(result.err).toContain("Error: of the system");
  });

  test("after the last listener left, owned errors are the host's again and nothing of ours remains", () => {
    const result = run(`
      const before = process.emit;
      const leave = [platform.strays.listen(told), nodePlatform().strays.listen(told)];
      console.log(process.emit === before, process.listenerCount("uncaughtException"));
      for (const each of leave) { each(); each(); }
      console.log(process.emit === before, Object.hasOwn(process, "emit"));
      owned(() => { setTimeout(() => { throw new Error("late") }); });`);

    expect(result.out).toBe("false 0\ntrue false\n");
    expect(result.code).toBe(1);
  });

  test("somebody who wraps process.emit later keeps working and does not hide owned errors", () => {
    const result = run(`
      const leave = platform.strays.listen(told);
      const inner = process.emit;
      process.emit = function (...values) { return Reflect.apply(inner, this, values); };
      leave();
      platform.strays.listen(told);
      owned(() => { setTimeout(() => { throw new Error("late") }); });`);

    expect(result).toEqual({ code: 0, out: "owner: late\n", err: "" });
  });

  /** Fails in a promise and in a timer, after every kind of waiting. */
  const wandering = `async () => {
    await null;
    await new Promise((resolve) => setImmediate(resolve));
    await (await import("node:fs/promises")).stat(".");
    setTimeout(() => { throw new Error("late"); });
    await new Promise((resolve) => queueMicrotask(() => process.nextTick(resolve)));
    await Promise.reject(new Error("lost"));
  }`;

  describe("beside an AsyncLocalStorage of somebody else, owners are known and its stores hold", () => {
    const theirs = `
      const { AsyncLocalStorage } = await import("node:async_hooks");
      const others = new AsyncLocalStorage();
      const useOthers = () => others.run("theirs", async () => {
        await null;
        await new Promise((resolve) => setImmediate(resolve));
        owned(async () => { await null; console.log(others.getStore()); throw new Error("within"); });
      });`;
    const orders: Readonly<Record<string, string>> = {
      "that came first": `useOthers(); platform.strays.listen(told); owned(${wandering});`,
      "that came later": `platform.strays.listen(told); owned(${wandering}); setImmediate(useOthers);`,
      "in the middle of an owner's work": `platform.strays.listen(told);
        owned(async () => { await null; useOthers(); await (${wandering})(); });`,
    };
    test.each(Object.entries(orders))("%s", (_, body) => {
      const result = run(`${theirs} ${body}`);

      const lines = ["owner: late", "owner: lost", "owner: within", "theirs"];
      expect({ ...result, out: result.out.trim().split("\n").toSorted() }).toEqual({ code: 0, out: lines, err: "" });
    });
  });

  test("who awaits a value that is there keeps its owner", () => {
    const result = run(`
      platform.strays.listen(told);
      owned(async () => { console.log(await platform.strays.resolved("there")); throw new Error("after"); });`);

    expect(result).toEqual({ code: 0, out: "there\nowner: after\n", err: "" });
  });

  test("who runs somebody else's callback, as a pool does, keeps its owner", () => {
    const result = run(`
      const { AsyncResource } = await import("node:async_hooks");
      platform.strays.listen(told);
      const others = platform.strays.run({ name: "other" }, () => new AsyncResource("job"));
      owned(() => setTimeout(() => {
        others.runInAsyncScope(() => setTimeout(() => { throw new Error("of the job"); }));
        throw new Error("after it");
      }));`);

    expect({ ...result, out: result.out.split("\n").toSorted() }).toMatchObject({
      code: 0,
      out: ["", "other: of the job", "owner: after it"],
    });
  });

  test("a connection that comes in is not charged to whose code ran last", () => {
    const result = run(`
      const { connect, createServer } = await import("node:net");
      platform.strays.listen(told);
      let isOver = false;
      const server = createServer((socket) => socket.once("data", () => {
        isOver = true;
        console.log(platform.strays.current()?.name);
        socket.end();
        server.close();
      })).listen(0, "127.0.0.1", () => {
        owned(async () => {
          while (!isOver) await new Promise((resolve) => setImmediate(resolve));
        });
        const { port } = server.address();
        new Worker(
          'const { port } = require("node:worker_threads").workerData; ' +
          'const socket = require("node:net").connect(port, "127.0.0.1", () => socket.end("data"));',
          { eval: true, workerData: { port } });
      });`);

    expect(result).toEqual({ code: 0, out: "undefined\n", err: "" });
  });

  test("a rejection of nobody's is not charged to whose code ran last", () => {
    const result = run(`
      platform.strays.listen(told);
      let reject;
      const lost = new Promise((_, fail) => (reject = fail));
      owned(async () => { await lost.catch(() => {}); await null; await null; });
      void lost.then(() => {});
      setImmediate(() => reject(new Error("nobody's")));`);

    expect([result.code, result.out]).toEqual([1, ""]);
    expect(result.err).toContain("nobody's");
  });

  test("who watches work is told of each piece and of its owner, until it stops", () => {
    const result = run(`
      platform.strays.listen(told);
      const seen = [];
      const stop = platform.strays.watch({ begin: (owner) => seen.push(owner?.name), end: () => seen.push("end") });
      await owned(async () => { await null; });
      stop();
      const { length } = seen;
      await owned(async () => { await null; });
      console.log(seen.includes("owner"), seen.includes("end"), seen.length === length);
      owned(${wandering});`);

    expect(result.out.split("\n").toSorted()).toEqual(["", "owner: late", "owner: lost", "true true true"]);
  });

  test("while nobody else follows promises, no more than three hooks do, which are ours", (context) => {
    if (Number.parseInt(process.versions.node, 10) >= 24) return context.skip("this Node follows owners without hooks");
    const result = run(
      `
      const hooks = () => process.binding("async_wrap").getPromiseHooks().map((each) => each?.name).join();
      platform.strays.listen(told);
      owned(() => {});
      console.log(hooks());
      const stop = platform.strays.watch({ begin() {}, end() {} });
      console.log(hooks());
      stop();
      await new Promise(setImmediate);
      console.log(hooks());
      const { AsyncLocalStorage } = await import("node:async_hooks");
      new AsyncLocalStorage().run(1, () => {});
      console.log(hooks());
      platform.strays.watch({ begin() {}, end() {} })();
      await new Promise(setImmediate);
      console.log(hooks());`,
      ["--no-deprecation"],
    );

    const { code, out, err } = result;
    const ours = "carryOver,takeUp,letGo,";
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(
      out
        .trim()
        .split("\n")
        .map((names) => names === ours),
    ).toEqual([true, false, true, false, false]);
  });

  test("no warning of Node's is caused by it, and none is lost", () => {
    const result = run(
      `
      platform.strays.listen(told);
      owned(() => {});
      process.emitWarning("old", "DeprecationWarning", "X1");`,
      ["--pending-deprecation"],
    );

    expect(result.err).toContain("[X1] DeprecationWarning: old");
    expect(result.err).not.toContain("DEP0111");
  });

  test("each listener is told once", () => {
    const result = run(`
      platform.strays.listen(told); platform.strays.listen(told);
      owned(() => { void Promise.reject(new Error("lost")); });`);

    expect(result.out).toBe("owner: lost\nowner: lost\n");
  });

  test("logging to a closed stderr does not end the OS process", () => {
    const result = run(`
      (await import("node:fs")).closeSync(2);
      platform.log("error", "nobody hears this");
      console.log("alive");`);

    expect(result).toEqual({ code: 0, out: "alive\n", err: "" });
  });
});
