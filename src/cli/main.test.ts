import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { FakeHost, FakeSystem, FakeTerminal, instance } from "../../test/fake-cli-host.ts";
import { managerInterfaces } from "../control/manager-interface.ts";
import type { Manager } from "../control/manager.ts";
import { runCli } from "./main.ts";
import { verbs } from "./verbs.ts";

/** A host in a folder with a config of one service, api, and a program, worm.ts. */
function shopHost(system: FakeSystem = new FakeSystem(instance("api"))): FakeHost {
  const cwd = mkdtempSync(join(tmpdir(), "colos-main-"));
  onTestFinished(() => rmSync(cwd, { recursive: true }));
  writeFileSync(join(cwd, "shop.json"), '{"services": {"api": {"command": ["sh"]}}}');
  writeFileSync(join(cwd, "bad.json"), '{"services": {"api": {"command": ["sh"],\n"restart": "allways"}}}');
  writeFileSync(join(cwd, "worm.ts"), "");
  const host = new FakeHost(system);
  host.cwd = cwd;
  return host;
}

/** Starts a command that runs, and gives its exit code to wait for. */
async function running(host: FakeHost, line: string): Promise<{ exitCode: Promise<number> }> {
  const exitCode = runCli(line.split(" "), host);
  await host.hasStarted;
  return { exitCode };
}

const upShop = "up --foreground shop.json";

describe("colos: words", () => {
  test("--version prints the version", async () => {
    const host = new FakeHost();

    expect(await runCli(["--version"], host)).toBe(0);
    expect(host.stdout.text).toBe("colos 1.2.3\n");
  });

  test("--help prints help to stdout", async () => {
    const host = new FakeHost();

    expect(await runCli(["--help"], host)).toBe(0);
    expect(host.stdout.text).toContain("Run one program");
    expect(host.stderr.text).toBe("");
  });

  test("nothing typed is wrong usage, with help on stderr", async () => {
    const host = new FakeHost();

    expect(await runCli([], host)).toBe(2);
    expect(host.stdout.text).toBe("");
    expect(host.stderr.text).toContain("Run one program");
  });

  test("options of every verb may stand before it", async () => {
    const host = new FakeHost();

    expect(await runCli(["--home", "h", "--json", "ps", "-q"], host)).toBe(3);
    expect(host.connected).toEqual([join(host.cwd, "h")]);
    expect(JSON.parse(host.stdout.text)).toMatchObject({ error: { code: "absent" } });
    const run = new FakeHost();
    expect(await runCli(["--home", "h", "run", "x"], run)).toBe(2);
    expect(run.stderr.text).toContain('colos run: "--home" is not an option');
  });

  test.each([
    ["--home", 'colos: "--home" is not an option; colos --help lists them'],
    ["rum x", 'colos: "rum" is not a verb; did you mean "run"?'],
    ["dance", 'colos: "dance" is not a verb; colos --help lists them'],
    ["list", 'colos: "list" is not a verb; here that is colos ps'],
    [
      "kill web -9",
      'colos kill: "-9" is not an option; write an OS signal behind the name, without a dash: colos kill web HUP',
    ],
    [
      "start server.js",
      'colos start: "server.js" is not the name of a service; name a program in a config (colos init writes one) and type colos up, or run it in the foreground: colos run server.js',
    ],
    ["constructor", 'colos: "constructor" is not a verb; colos --help lists them'],
    ["server.ts", 'colos: "server.ts" is not a verb; did you mean colos run server.ts?'],
    ["--verson", 'colos: "--verson" is not an option; did you mean "--version"?'],
    ["--", "colos: a verb is missing; colos --help lists them"],
    ["help rum", 'colos: "rum" is not a verb; did you mean "run"?'],
    ["up --foregruond", 'colos up: "--foregruond" is not an option; did you mean "--foreground"?'],
    ["up --foreground a b", 'colos up: takes one config; "b" is too many'],
    ["up --foreground --plain=yes", "colos up: --plain takes no value"],
    ["up --foreground --json", "colos up: --json is for a daemon; with --foreground there is none"],
    ["up --foreground --timeout 3s", "colos up: --timeout is for a daemon; with --foreground there is none"],
    ["up --plain", "colos up: --plain is for --foreground"],
    ["run none.ts", 'colos run: "none.ts" does not exist'],
    ["up --foreground none.json", "none.json: there is no such file"],
    [
      "up --foreground bad.json",
      'bad.json:2: services.api.restart: "allways" is not one of permanent, transient, temporary',
    ],
  ])("colos %s is refused with one line on stderr and exit code 2", async (line, problem) => {
    const host = shopHost();

    expect(await runCli(line.split(" "), host)).toBe(2);
    expect(host.stderr.text).toBe(`${problem}\n`);
    expect(host.stdout.text).toBe("");
    expect(host.started).toBeUndefined();
  });
});

describe("colos: help", () => {
  test.each(["--help", "-h", "help"])("colos %s lists the verbs", async (line) => {
    const host = new FakeHost();

    expect(await runCli([line], host)).toBe(0);
    expect(host.stdout.text).toMatch(/^ {2}ps +Show the instances of services and their states$/m);
  });

  test.each(["run --help", "run -h", "help run"])("colos %s lists the options of run", async (line) => {
    const host = new FakeHost();

    expect(await runCli(line.split(" "), host)).toBe(0);
    expect(host.stdout.text).toContain("--restart permanent|transient|temporary");
  });

  test.each(["", ...Object.keys(verbs)])("no line of the help of colos %s is wider than 100 columns", async (name) => {
    const host = new FakeHost();

    await runCli(name === "" ? ["--help"] : [name, "--help"], host);

    expect(Math.max(...host.stdout.lines.map(({ length }) => length))).toBeLessThanOrEqual(100);
  });

  test.each(Object.entries(verbs))("colos %s has a usage that begins with it", (name, { usage, summary }) => {
    expect(usage.split(" ").slice(0, 2)).toEqual(["colos", name]);
    expect(summary).not.toMatch(/\.$/);
  });

  const endpoints = new Map(
    Object.values(managerInterfaces).flatMap(({ endpoints: each }) => Object.entries<{ readonly help: string }>(each)),
  );
  test.each(Object.entries(verbs).filter(([, { operation }]) => operation !== undefined))(
    "the help of colos %s is that of the manager's operation",
    (_, { operation, summary }) => {
      expect(summary).toBe(endpoints.get(operation!)?.help);
    },
  );

  test("every operation of the manager has a verb", () => {
    const withVerb = new Set(Object.values(verbs).map(({ operation }) => operation));
    // `up` is more than apply, and `update` more than handOver; `ps --check` is check, `logs --clear` is clearLogs.
    expect([...endpoints.keys()].filter((name) => !withVerb.has(name as keyof Manager))).toEqual([
      "check",
      "handOver",
      "apply",
      "clearLogs",
    ]);
  });
});

describe("colos up --foreground", () => {
  test("starts the plan of the config and prints lines to a pipe", async () => {
    const host = shopHost();
    const { exitCode } = await running(host, upShop);

    host.system.log("api", "hello");
    host.system.end(0);

    expect(await exitCode).toBe(0);
    expect(host.started).toMatchObject({ plan: { services: [{ name: "api" }] }, options: { passthrough: false } });
    expect(host.stdout.lines).toEqual(["api   = ready", "api   | hello", "colos = ended"]);
  });

  test("shows the live table on a terminal", async () => {
    const host = shopHost();
    const terminal = new FakeTerminal();
    host.stdout = terminal;
    host.env["NO_COLOR"] = "1";
    const { exitCode } = await running(host, upShop);

    host.system.end(0);

    expect(await exitCode).toBe(0);
    expect(terminal.screen[0]).toBe("shop: ended after 0s");
    expect(terminal.isCursorShown).toBe(true);
  });

  test.each(["--plain", "--no-tty"])("%s prints lines on a terminal as well", async (option) => {
    const host = shopHost();
    host.stdout = new FakeTerminal();
    host.env["NO_COLOR"] = "1";
    const { exitCode } = await running(host, `${upShop} ${option}`);

    host.system.end(0);
    await exitCode;

    expect(host.stdout.lines).toEqual(["api   = ready", "colos = ended"]);
  });

  test("a dumb terminal gets lines", async () => {
    const host = shopHost();
    host.stdout = new FakeTerminal();
    host.env["TERM"] = "dumb";
    const { exitCode } = await running(host, upShop);

    host.system.end(0);
    await exitCode;

    expect(host.stdout.lines[0]).toBe("api   = ready");
  });

  test("a system that fails gives its code, and its sentence on stderr", async () => {
    const host = shopHost();
    const { exitCode } = await running(host, upShop);

    host.system.end(1, "api failed: exited with code 3");

    expect(await exitCode).toBe(1);
    expect(host.stderr.text).toBe("colos: api failed: exited with code 3\n");
  });

  test("after the live table the last lines of what failed are shown", async () => {
    const host = shopHost(new FakeSystem(instance("api"), instance("web")));
    host.stdout = new FakeTerminal();
    host.env["NO_COLOR"] = "1";
    const { exitCode } = await running(host, upShop);
    for (let line = 1; line <= 30; line++) host.system.log("api", `line ${line}`, "stderr");
    host.system.log("web", "fine");

    host.system.change(instance("api", { state: "failed" }));
    host.system.end(1, "api failed");
    await exitCode;

    expect(host.stderr.lines).toHaveLength(22);
    expect(host.stderr.lines.slice(0, 2)).toEqual(["colos: the last lines of api:", "  | line 11"]);
    expect(host.stderr.lines.at(-1)).toBe("colos: api failed");
  });

  test("a system that cannot be started is a sentence and exit code 1", async () => {
    const host = shopHost();
    host.startSystem = () => {
      throw new Error("no shell");
    };

    expect(await runCli(upShop.split(" "), host)).toBe(1);
    expect(host.stderr.text).toBe("colos: the system could not be started: no shell\n");
    expect(host.signalListenersCount).toBe(0);
  });
});

describe("colos: stopping", () => {
  test("the first OS signal stops in order, and the exit code is the system's", async () => {
    const host = shopHost();
    const { exitCode } = await running(host, upShop);

    host.signal("SIGINT");
    expect(host.system).toMatchObject({ stopsCount: 1, killsCount: 0 });
    host.system.end(0);

    expect(await exitCode).toBe(0);
    expect(host.signalListenersCount).toBe(0);
  });

  test("the second OS signal kills, and the exit code tells which it was", async () => {
    const host = shopHost();
    const { exitCode } = await running(host, upShop);

    host.signal("SIGINT");
    host.signal("SIGTERM");
    host.signal("SIGINT");
    host.system.end(1);

    expect(await exitCode).toBe(143);
    expect(host.system).toMatchObject({ stopsCount: 1, killsCount: 2 });
  });

  test("an OS signal while the system is being started stops it when it is there", async () => {
    const host = shopHost();
    let finishStart = () => {};
    host.startSystem = () =>
      new Promise((resolve) => {
        finishStart = () => resolve(host.system);
      });
    const exitCode = runCli(["run", "sh"], host);
    await host.isListening;

    host.signal("SIGTERM");
    finishStart();
    host.system.end(0);

    expect(await exitCode).toBe(0);
    expect(host.system.stopsCount).toBe(1);
  });

  test("a reader that goes away is an orderly stop", async () => {
    const host = shopHost();
    const { exitCode } = await running(host, upShop);

    host.stdout.emit("error", Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    host.system.log("api", "late");
    host.system.end(0);

    expect(await exitCode).toBe(0);
    expect(host.system.stopsCount).toBe(1);
    expect(host.stdout.text).not.toContain("late");
    expect(host.stderr.text).toBe("");
  });

  test("a full disk behind stdout is said once and stops nothing", async () => {
    const host = shopHost();
    const { exitCode } = await running(host, upShop);

    for (let count = 0; count < 2; count++) host.stdout.emit("error", new Error("no space left on device"));
    host.system.end(0);
    await exitCode;

    expect(host.system.stopsCount).toBe(0);
    expect(host.stderr.text).toBe("colos: stdout cannot be written, nothing more is shown: no space left on device\n");
  });

  test("a reader of help that goes away is no crash", async () => {
    const host = new FakeHost();
    await runCli(["--help"], host);

    expect(() => host.stdout.emit("error")).not.toThrow();
  });
});

describe("colos run", () => {
  test("passes output through and gives the program's exit code", async () => {
    const host = shopHost(new FakeSystem(instance("worm")));
    const { exitCode } = await running(host, "run worm.ts --fast");

    host.system.log("worm", "not mine");
    host.system.end(7);

    expect(await exitCode).toBe(7);
    expect(host.started).toMatchObject({
      plan: { services: [{ name: "worm", restart: "temporary", run: { args: ["--fast"] } }] },
      options: { passthrough: true },
    });
    expect([host.stdout.text, host.stderr.text]).toEqual(["", ""]);
  });

  test("says on stderr why the program is restarted", async () => {
    const host = shopHost(new FakeSystem(instance("worm")));
    const { exitCode } = await running(host, "run --restart permanent worm.ts");

    host.system.change(instance("worm", { state: "backoff", reason: "exited with code 1; again in 100 ms" }));
    host.system.end(0);
    await exitCode;

    expect(host.stderr.text).toBe("colos: worm is restarted: exited with code 1; again in 100 ms\n");
  });

  test("draws nothing on a terminal", async () => {
    const host = shopHost(new FakeSystem(instance("worm")));
    host.stdout = new FakeTerminal();
    const { exitCode } = await running(host, "run worm.ts");

    host.system.end(0);
    await exitCode;

    expect(host.stdout.text).toBe("");
  });
});
