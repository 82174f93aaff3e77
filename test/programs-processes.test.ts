/**
 * Programs of processes under the daemon: calls from outside, readiness by a call, the list of processes, the stop in order.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { logFolder } from "../src/daemon/home.ts";
import { needsLinux } from "./debian.ts";
import { test, type DaemonPlace } from "./system/daemon-place.ts";

const linux = needsLinux();

/** Answers `"ready?"` once the file `open` is there; adds numbers; crashes when it is told to. */
const server = `
  import { existsSync } from "node:fs";
  import { defineServer } from "colos";
  let sum = 0;
  export default defineServer(() => ({
    async handleCall(request) {
      while (request === "ready?" && !existsSync(process.env.OPEN)) await new Promise(setImmediate);
      if (request === "crash") throw new Error("told to");
      if (request === "big") return 1n;
      return typeof request === "number" ? (sum += request) : { request, socket: process.env.COLOS_CALL ?? null };
    },
  }));
`;

const supervisor = `
  import { existsSync } from "node:fs";
  import { defineSupervisor, startServer } from "colos";
  class Child {
    constructor(self, name) { this.self = self; this.name = name; }
    init() { this.self.trapExit(true); console.log("begin " + this.name); }
    async terminate() {
      console.log("end " + this.name);
      while (!existsSync(process.env.OPEN)) await new Promise(setImmediate);
    }
  }
  const child = (name) => ({ id: name, start: (self) => startServer(self, (own) => new Child(own, name), { link: true, name }) });
  export default defineSupervisor(() => ({ strategy: "oneForOne", children: [child("first"), child("second"), child("third")] }));
`;

function logOf(place: DaemonPlace, name: string): string {
  return readFileSync(join(logFolder(place.home, name, 1), "current"), "utf8").replaceAll(/^\S+ (\S+) F /gm, "");
}

linux.describe("colos call", () => {
  test("is answered by the main process of a program, JSON or text", async ({ place }) => {
    place.write("sum.ts", server);
    place.config({ sum: { program: "sum.ts", env: { OPEN: "/" }, ready: { call: "ready?" } } });
    expect(await place.colos("up")).toMatchObject({ code: 0, stderr: "" });

    expect(await place.colos("call", "sum", "40")).toMatchObject({ code: 0, stdout: "40\n" });
    expect(await place.colos("call", "--json", "sum.1", "2")).toMatchObject({ code: 0, stdout: '{"reply":42}\n' });
    expect((await place.colos("call", "sum", '{"a": [1]}')).stdout).toBe('{"request":{"a":[1]},"socket":null}\n');
    expect((await place.colos("call", "sum", "some", "text")).stdout).toContain('"some text"');
    expect(await place.colos("call", "sum", "big")).toMatchObject({ code: 5 });
    const crashed = await place.colos("call", "sum", "crash");
    expect(crashed).toMatchObject({ code: 5 });
    expect(crashed.stderr).toContain("told to");
    await place.until(async () => ((await place.instance("sum"))?.["restartsCount"] === 1 ? true : undefined));
    expect(logOf(place, "sum")).toMatch(/Error: told to\n.*sum\.ts:8/);
  });

  test("is refused with a sentence where nobody can answer", async ({ place }) => {
    place.write("script.mjs", "console.log('up'); setInterval(() => {}, 1000);");
    place.config({
      script: { program: "script.mjs", ready: { log: "up" } },
      command: { command: ["sleep", "1000"] },
      down: { program: "script.mjs", autostart: false },
    });
    await place.colos("up");
    const refusal = async (name: string): Promise<string> => (await place.colos("call", name, "1")).stderr;

    expect(await place.until(async () => /is a script/.exec(await refusal("script"))?.[0])).toBeDefined();
    expect(await refusal("command")).toContain("command is a command, not a program of processes");
    expect(await refusal("down")).toContain("down does not run, so nobody answers");
    expect(await refusal("none")).toContain("there is no service");
  });

  test("leaves no socket behind", async ({ place }) => {
    place.write("sum.ts", server);
    place.config({ sum: { program: "sum.ts", env: { OPEN: "/" }, ready: { call: "ready?" } } });
    await place.colos("up");
    const sockets = (): string[] => readdirSync(place.home.pipes).filter((name) => name.endsWith(".call"));

    expect(sockets()).toEqual(["sum.1.1.call"]);
    await place.colos("restart", "sum");
    expect(await place.until(() => (sockets().join() === "sum.1.2.call" ? true : undefined))).toBe(true);
  });
});

linux.describe("readiness by a call", () => {
  test("comes with the first answer, also when the daemon dies in between", async ({ place }) => {
    const open = join(place.folder, "open");
    place.write("sum.ts", server);
    place.config({ sum: { program: "sum.ts", env: { OPEN: open }, ready: { call: "ready?" } } });
    expect(await place.colos("up", "--no-wait")).toMatchObject({ code: 0 });
    await place.until(() => (existsSync(join(place.home.pipes, "sum.1.1.call")) ? true : undefined));
    const before = place.daemonPid();
    process.kill(before, "SIGKILL");
    await place.until(async () => {
      const { code } = await place.colos("ps", "--quiet");
      return code === 0 && place.daemonPid() !== before ? true : undefined;
    });

    expect(await place.instance("sum")).toMatchObject({ state: "starting", restartsCount: 0 });
    place.write("open", "");
    await place.until(async () => ((await place.instance("sum"))?.["state"] === "ready" ? true : undefined));
    expect(await place.instance("sum")).toMatchObject({ restartsCount: 0 });
  }, 60_000);

  test("never comes from a script, which is told at once, or without an answer in time", async ({ place }) => {
    place.write("script.mjs", "setInterval(() => {}, 1000);");
    place.write("sum.ts", server);
    const once = { maxRestarts: 1, exhausted: { policy: "failed" }, backoff: { initialMs: 0 } };
    place.config({
      script: { program: "script.mjs", ready: { call: "x" }, ...once },
      late: { program: "sum.ts", env: { OPEN: "/none" }, ready: { call: "ready?", timeoutMs: 600 }, ...once },
    });
    const { code, stderr } = await place.colos("up");

    expect(code).toBe(1);
    expect(stderr).toContain("is a script, not a program of processes");
    expect(stderr).toContain('it did not answer the call "ready?" within 600 ms');
  }, 60_000);
});

linux.describe("readiness by a call, where the daemon cannot call", () => {
  test.for([
    [{ carrier: "thread" }, "use log or port on thread"],
    [{ user: "root" }, "leave out user"],
  ] as const)("%o is refused", async ([more, sentence], { place }) => {
    place.write("sum.ts", server);
    place.config({ sum: { program: "sum.ts", ready: { call: "ready?" }, ...more } });
    const { code, stderr } = await place.colos("up");

    expect(code).toBe(5);
    expect(stderr).toContain("services.sum.ready.call: ");
    expect(stderr).toContain(sentence);
  });
});

linux.describe("a supervisor as a program", () => {
  test("ends its children in order at the stop signal, whatever signals follow, and shows them in the tree", async ({
    place,
  }) => {
    place.write("tree.ts", supervisor);
    const env = { OPEN: join(place.folder, "open") };
    place.config({ tree: { program: "tree.ts", ready: { log: "begin third" }, restart: "temporary", env } });
    expect(await place.colos("up")).toMatchObject({ code: 0 });

    const tree = (await place.colos("tree")).stdout;
    for (const name of ["main", "first", "second", "third"]) {
      expect(tree).toMatch(new RegExp(`${name}: waiting, 0 messages wait`));
    }
    await place.colos("kill", "tree", "SIGTERM");
    await place.until(() => (logOf(place, "tree").includes("end third") ? true : undefined));
    await place.colos("kill", "tree", "SIGTERM");
    await place.colos("kill", "tree", "SIGINT");
    place.write("open", "");
    const shown = await place.until(async () => {
      const { stdout } = await place.colos("show", "--json", "tree");
      return stdout.includes('"exit":') ? stdout : undefined;
    });
    expect(JSON.parse(shown)).toMatchObject({ instances: [{ runs: [{ exit: { code: 0, signal: null } }] }] });
    const lines = logOf(place, "tree").split("\n");
    expect(lines.filter((line) => line.startsWith("end"))).toEqual(["end third", "end second", "end first"]);
  });
});
