/**
 * `colos up --foreground` as a person meets it: the built command, real OS processes, lines and exit codes. Real servers
 * are in up-servers.test.ts, the terminal is in up-terminal.test.ts.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished } from "vitest";
import { childrenOf, isRunning, osProcessesOf, residentBytes } from "./system/os-processes.ts";
import { test } from "./system/place.ts";
import { needsLinux } from "./debian.ts";

/** A service that says `up` and stays. */
const staying = ["sh", "-c", "echo up; exec sleep 1000"];
/** A service that says `up`, stays, and does not obey SIGTERM. */
const deaf = ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1000; done"];
/** Only SIGKILL ends such a service, and colos is never to wait so long for it. */
const patientMs = 600_000;
const saysUp = { log: "up" };

/** The lines about what became of services, without times and pids. */
function states(lines: readonly string[]): string[] {
  return lines
    .filter((line) => / = /.test(line))
    .map((line) => line.replace(/ +/g, " ").replace(/( after| \(pid).*/, ""));
}

const linux = needsLinux();

linux.describe("colos up: readiness", () => {
  test("a log line makes a service ready, and its dependents start then", async ({ place }) => {
    const command = ["sh", "-c", "echo one; echo 'now ready 42' >&2; exec sleep 1000"];
    const colos = place.up({
      web: { command: staying, dependsOn: ["db"] },
      db: { command, ready: { log: "/READY \\d+/i" } },
    });
    await colos.line(/every service is ready/);

    expect(await colos.stop()).toEqual({ code: 0, signal: null });
    expect(states(colos.lines())).toEqual([
      "db = waiting",
      "web = waiting",
      "db = starting",
      "db = ready",
      "web = starting",
      "web = ready",
      "colos = every service is ready",
      "colos = stopping",
      "db = stopping",
      "web = stopping",
      "web = stopped",
      "db = stopped",
      "colos = ended",
    ]);
    expect(colos.stderr).toBe("");
  });

  test("an http check waits for a good status", async ({ place }) => {
    const statuses = [503, 404, 302];
    const server = createServer((_request, response) => {
      response.statusCode = statuses.shift() ?? 500;
      response.end();
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const colos = place.up({ web: { command: staying, ready: { http: `http://127.0.0.1:${port}/health` } } });

    await colos.line(/web +. ready after/);

    expect(statuses).toEqual([]);
    expect(await colos.stop()).toEqual({ code: 0, signal: null });
  });

  test("an exec check runs in the service's folder and environment until it exits with 0", async ({ place }) => {
    place.write("data/here", "");
    const check = ["sh", "-c", 'test -f here && test "$WORD" = yes && echo x >>tries && test "$(wc -l <tries)" -ge 3'];
    const colos = place.up({ db: { command: staying, cwd: "data", env: { WORD: "yes" }, ready: { exec: check } } });

    await colos.line(/db +. ready after/);

    expect(await colos.stop()).toEqual({ code: 0, signal: null });
  });
});

linux.describe("colos up: what a service gets", () => {
  test("its environment is that of colos with the changes of the config, where null removes", async ({ place }) => {
    const colos = place.up(
      {
        api: {
          command: ["sh", "-c", 'echo "[$KEPT] [$CHANGED] [${REMOVED-absent}] [$COLOS_SERVICE $COLOS_INSTANCE]"'],
          env: { CHANGED: "new", REMOVED: null },
          restart: "temporary",
        },
      },
      [],
      { env: { KEPT: "kept", CHANGED: "old", REMOVED: "old" } },
    );

    expect(await colos.ended).toEqual({ code: 0, signal: null });
    expect(colos.lines()).toContain("api   | [kept] [new] [absent] [api 1]");
  });

  test("its working directory is the config's folder, or cwd relative to that", async ({ place }) => {
    place.write("system/data/file", "");
    const services = {
      here: { command: ["pwd"], restart: "temporary" },
      there: { command: ["pwd"], cwd: "data", restart: "temporary" },
    };
    place.write("system/colos.config.json", { services });

    const colos = place.colos(["up", "--foreground", "system"]);

    expect(await colos.ended).toEqual({ code: 0, signal: null });
    expect(colos.lines()).toContain(`here  | ${place.folder}/system`);
    expect(colos.lines()).toContain(`there | ${place.folder}/system/data`);
  });

  test("each instance has its own name, number and OS process", async ({ place }) => {
    const command = ["sh", "-c", 'echo "I am $COLOS_INSTANCE"; exec sleep 1000'];
    const colos = place.up({ api: { command, instances: 2, ready: { log: "I am" } } });
    await colos.line(/every service is ready/);

    const running = childrenOf(colos.pid).filter(({ command }) => command.includes("sleep 1000"));

    expect(running).toHaveLength(2);
    expect(colos.lines()).toEqual(expect.arrayContaining(["api   | I am 1", "api.2 | I am 2"]));
    expect(await colos.stop()).toEqual({ code: 0, signal: null });
    const stops = states(colos.lines()).filter((line) => line.endsWith("stopped"));
    expect(stops).toEqual(["api.2 = stopped", "api = stopped"]);
  });
});

linux.describe("colos up: stopping", () => {
  test("dependents stop before what they depend on", async ({ place }) => {
    // Not a shell, which runs a trap only between two commands.
    const farewell = (name: string): string[] => {
      const script = `process.on("SIGTERM", () => process.exit(console.log("${name} goes"))); setInterval(() => {}, 1000);`;
      return [process.execPath, "-e", `${script} console.log("up");`];
    };
    const colos = place.up({
      db: { command: farewell("db"), ready: saysUp },
      api: { command: farewell("api"), ready: saysUp, dependsOn: ["db"] },
      web: { command: farewell("web"), ready: saysUp, dependsOn: ["api"] },
    });
    await colos.line(/every service is ready/);

    expect(await colos.stop()).toEqual({ code: 0, signal: null });
    const said = colos.lines().filter((line) => line.endsWith("goes"));
    expect(said).toEqual(["web   | web goes", "api   | api goes", "db    | db goes"]);
  });

  for (const signal of ["SIGTERM", "SIGHUP"] as const) {
    test(`${signal} stops as Ctrl+C does`, async ({ place }) => {
      const colos = place.up({ db: { command: staying, ready: saysUp } });
      await colos.line(/every service is ready/);

      colos.signal(signal);

      expect(await colos.ended).toEqual({ code: 0, signal: null });
      expect(colos.lines().at(-1)).toBe("colos = ended");
    });
  }

  test("a second Ctrl+C ends at once what ignores SIGTERM", async ({ place }) => {
    const colos = place.up({
      db: { command: deaf, ready: saysUp, shutdown: patientMs },
      web: { command: deaf, ready: saysUp, shutdown: patientMs, dependsOn: ["db"] },
    });
    await colos.line(/every service is ready/);
    colos.signal("SIGINT");
    await colos.line(/stopping$/, 3);

    colos.signal("SIGINT");

    expect(await colos.ended).toEqual({ code: 130, signal: null });
  });

  test("a second SIGTERM does so too", async ({ place }) => {
    const colos = place.up({ db: { command: deaf, ready: saysUp, shutdown: "infinity" } });
    await colos.line(/every service is ready/);
    colos.signal("SIGTERM");
    await colos.line(/stopping$/, 2);

    colos.signal("SIGTERM");

    expect(await colos.ended).toEqual({ code: 143, signal: null });
  });

  test("what ignores SIGTERM is killed after its shutdown time", async ({ place }) => {
    const colos = place.up({ db: { command: deaf, ready: saysUp, shutdown: 50 } });
    await colos.line(/every service is ready/);

    expect(await colos.stop()).toEqual({ code: 0, signal: null });
  });

  test("what a service forked goes with it", async ({ place }) => {
    const family = "sleep 1001 & (sleep 1002 & exec sleep 1003) & exec sleep 1004";
    const count = "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -o 'sleep 100[1-4]' | sort -u | wc -l";
    const ready = { exec: ["sh", "-c", `test "$(${count})" = 4`] };
    const colos = place.up({ db: { command: ["sh", "-c", family], ready } });
    await colos.line(/every service is ready/);
    const members = osProcessesOf(place).filter(({ command }) => command.startsWith("sleep"));

    expect(await colos.stop()).toEqual({ code: 0, signal: null });
    expect(members.map(({ command }) => command).toSorted()).toEqual([1001, 1002, 1003, 1004].map((n) => `sleep ${n}`));
    expect(members.filter(({ pid }) => isRunning(pid))).toEqual([]);
  });

  test("Ctrl+C while a readiness check runs stops at once", async ({ place }) => {
    const port = await place.port();
    const colos = place.up({ db: { command: staying, ready: { port, timeoutMs: patientMs } } });
    await colos.line(/db +. starting/);

    expect(await colos.stop()).toEqual({ code: 0, signal: null });
  });

  for (const carrier of ["os-process", "thread", "coroutine"]) {
    test(`Ctrl+C while a program on ${carrier} loads does not wait for it`, async ({ place }) => {
      place.write("endless.ts", "await new Promise(() => setInterval(() => {}, 1000));");
      const ready = { log: "up", timeoutMs: patientMs };
      const colos = place.up({ api: { program: "endless.ts", carrier, ready, shutdown: 50 } });
      await colos.line(/api +. starting/);

      expect(await colos.stop()).toEqual({ code: 0, signal: null });
    });
  }

  test("Ctrl+C while a readiness command runs ends that too", async ({ place }) => {
    const command = ["sh", "-c", "until test -e begun; do sleep 0.01; done; echo begun; exec sleep 1000"];
    const exec = ["sh", "-c", "sleep 1001 & touch begun; sleep 1002"];
    const colos = place.up({ db: { command, ready: { exec, timeoutMs: patientMs } } });
    await colos.line(/\| begun/);

    expect(await colos.stop()).toEqual({ code: 0, signal: null });
  });

  test("Ctrl+C while a restart waits starts nothing again", async ({ place }) => {
    const backoff = { initialMs: patientMs, maxMs: patientMs };
    const colos = place.up({ db: { command: ["sh", "-c", "exit 3"], backoff } });
    await colos.line(/db +. backoff: exit code 3; restarts in/);

    expect(await colos.stop()).toEqual({ code: 0, signal: null });
    expect(colos.lines().filter((line) => / starting/.test(line))).toHaveLength(1);
    expect(colos.lines()).toContain("db    = stopped");
  });

  test("nothing starts again while the rest stops", async ({ place }) => {
    const colos = place.up({
      flaky: { command: ["sh", "-c", "echo run; exec sleep 1001"], backoff: { initialMs: 1, maxMs: 1 } },
      deaf: { command: deaf, ready: saysUp, shutdown: patientMs, dependsOn: ["flaky"] },
    });
    await colos.line(/every service is ready/);
    colos.signal("SIGINT");
    await colos.line(/deaf +. stopping/);
    const [flaky] = childrenOf(colos.pid).filter(({ command }) => command.includes("sleep 1001"));

    process.kill(flaky!.pid, "SIGKILL");
    await colos.line(/flaky +. stopped/);
    colos.signal("SIGINT");

    expect(await colos.ended).toEqual({ code: 130, signal: null });
    expect(colos.lines().filter((line) => /^flaky +\| run/.test(line))).toHaveLength(1);
  });

  test("a reader of stdout that goes away is a stop in order", async ({ place }) => {
    const config = place.write("pipe.json", {
      services: {
        db: {
          command: ["sh", "-c", "trap 'echo db >>gone; exit' TERM; echo up; while :; do echo on; sleep 0.01; done"],
          ready: saysUp,
        },
        web: {
          command: ["sh", "-c", "trap 'echo web >>gone; exit' TERM; echo up; while :; do echo on; sleep 0.01; done"],
          ready: saysUp,
          dependsOn: ["db"],
        },
      },
    });
    place.write("gone", "");
    const colos = place.colos(["up", "--foreground", config]);
    await colos.line(/every service is ready/);

    colos.closeStdout();

    expect(await colos.ended).toEqual({ code: 0, signal: null });
    expect(colos.stderr).toBe("");
    expect(place.read("gone")).toBe("web\ndb\n");
  });
});

linux.describe("colos up: restarts", () => {
  test("the system ends by itself with 0 when all services have ended well", async ({ place }) => {
    const colos = place.up({
      first: { command: ["sh", "-c", "exit 0"], restart: "transient" },
      second: { command: ["sh", "-c", "exit 0"], restart: "temporary", dependsOn: ["first"] },
    });

    expect(await colos.ended).toEqual({ code: 0, signal: null });
    expect(colos.stderr).toBe("");
    expect(colos.lines().at(-1)).toBe("colos  = ended");
  });

  test("the system ends with 1 and says why when a temporary service failed", async ({ place }) => {
    const colos = place.up({
      good: { command: ["sh", "-c", "exit 0"], restart: "temporary" },
      bad: { command: ["sh", "-c", "echo why >&2; exit 4"], restart: "temporary", dependsOn: ["good"] },
    });

    expect(await colos.ended).toEqual({ code: 1, signal: null });
    expect(colos.stderr).toBe("colos: the last lines of bad:\n  | why\ncolos: bad ended: exit code 4\n");
  });

  test("a transient service is restarted after a failure and not after a good end", async ({ place }) => {
    const command = ["sh", "-c", "if test -e done; then exit 0; fi; touch done; exit 5"];
    const colos = place.up({ job: { command, restart: "transient", backoff: { initialMs: 1 } } });

    expect(await colos.ended).toEqual({ code: 0, signal: null });
    expect(states(colos.lines())).toEqual([
      "job = waiting",
      "job = starting",
      "job = backoff: exit code 5; restarts in 1 ms",
      "job = starting",
      "job = stopped: exit code 0",
      "colos = stopping",
      "colos = ended",
    ]);
  });

  test("what ends at once is never called ready, and those that need it start when it ended in order", async ({
    place,
  }) => {
    const migrate = { command: ["true"], restart: "temporary" };
    const colos = place.up({ migrate, web: { command: staying, dependsOn: ["migrate"] } });
    await colos.line(/web += ready after/);

    expect(await colos.stop()).toEqual({ code: 0, signal: null });
    const told = colos.lines().filter((line) => line.includes("migrate"));
    expect(told.some((line) => line.includes("ready"))).toBe(false);
    expect(told.at(-1)).toMatch(/migrate = stopped: exit code 0$/);
  });

  test("what fails at once, and is needed, ends the system before those that need it start", async ({ place }) => {
    const colos = place.up({
      migrate: { command: ["false"], restart: "temporary" },
      web: { command: staying, dependsOn: ["migrate"] },
      other: { command: staying },
    });

    expect(await colos.ended).toEqual({ code: 1, signal: null });
    expect(colos.stderr).toContain("migrate ended before it was ready: exit code 1");
    expect(colos.lines().some((line) => /web += starting/.test(line))).toBe(false);
  });

  test("the delay before a restart grows", async ({ place }) => {
    const backoff = { initialMs: 10, factor: 3, maxMs: 80, jitter: 0 };
    const colos = place.up({ job: { command: ["sh", "-c", "exit 6"], maxRestarts: 4, backoff } });

    await colos.ended;

    const delays = colos.lines().flatMap((line) => /restarts in (\d+) ms/.exec(line)?.[1] ?? []);
    expect(delays).toEqual(["10", "30", "80", "80"]);
  });

  test("a service that fails too often is given up: the rest stops, and the end says why", async ({ place }) => {
    const command = ["sh", "-c", "echo first; echo second >&2; exit 7"];
    const colos = place.up({
      db: { command: staying, ready: saysUp },
      web: { command, ready: { log: "first" }, dependsOn: ["db"], maxRestarts: 2, backoff: { initialMs: 1 } },
    });

    expect(await colos.ended).toEqual({ code: 1, signal: null });
    expect(colos.stderr.split("\n")).toEqual([
      "colos: the last lines of web:",
      ...Array.from({ length: 3 }, () => [
        expect.stringMatching(/first|second/),
        expect.stringMatching(/first|second/),
      ]).flat(),
      "colos: web failed 3 times within 30 s and is given up: exit code 7",
      "",
    ]);
    expect(states(colos.lines()).slice(-5)).toEqual([
      "web = failed: exit code 7",
      "colos = stopping",
      "db = stopping",
      "db = stopped",
      "colos = ended",
    ]);
  });

  test("a service that is not ready again after a restart is ended, though it ignores SIGTERM", async ({ place }) => {
    const command = [
      "sh",
      "-c",
      "if test -e once; then trap '' TERM; else touch once; echo up; fi; while :; do sleep 1000; done",
    ];
    const colos = place.up({
      db: { command, ready: { log: "up", timeoutMs: 300 }, shutdown: 50, maxRestarts: 1, backoff: { initialMs: 1 } },
    });
    await colos.line(/every service is ready/);
    const [shell] = childrenOf(colos.pid);

    process.kill(shell!.pid, "SIGKILL");

    expect(await colos.ended).toEqual({ code: 1, signal: null });
    expect(colos.stderr).toMatch(
      /^colos: db failed 2 times within 30 s and is given up: no line of the log contained "up" .*\n$/m,
    );
  });
});

linux.describe("colos up: output", () => {
  test("--plain prefixes each line of both streams with the name of its instance", async ({ place }) => {
    const colos = place.up(
      {
        "long-name": {
          command: ["sh", "-c", "printf 'one\\ntwo'; printf '\\033[31mred\\033[0m\\n' >&2"],
          restart: "temporary",
        },
        b: { command: ["sh", "-c", "printf 'caf\\303\\251\\r\\n'"], restart: "temporary" },
      },
      ["--plain"],
    );

    expect(await colos.ended).toEqual({ code: 0, signal: null });
    const said = colos.lines().filter((line) => line.includes(" | "));
    expect(said.toSorted()).toEqual(["b         | café", "long-name | one", "long-name | red", "long-name | two"]);
  });

  for (const carrier of ["os-process", "thread", "coroutine"]) {
    test(`the report of a crash on ${carrier} is a line like any other`, async ({ place }) => {
      place.write(
        "crash.ts",
        `import { defineProgram } from "colos";
        export default defineProgram(async () => {
          await null;
          throw new RangeError("out of it");
        });`,
      );
      const colos = place.up({ api: { program: "crash.ts", carrier, restart: "temporary" } });

      expect(await colos.ended).toEqual({ code: 1, signal: null });
      expect(colos.stdout).toMatch(/^(?:api {2}|colos) \| colos error: process .* crashed: RangeError: out of it/m);
      expect(colos.lines("stderr").at(-1)).toBe("colos: api ended: RangeError: out of it (crash.ts:4)");
    });
  }

  test("services that flood their output are drained, and colos does not grow with it", async ({ place }) => {
    const flood = (megabytes: number): object => {
      const script = `yes ${"x".repeat(999)} | head -c ${megabytes}M; echo; echo over; exec sleep 1000`;
      return { command: ["sh", "-c", script], ready: { log: "over", timeoutMs: patientMs } };
    };
    const services = { first: flood(48), second: { ...flood(192), dependsOn: ["first"] } };
    const colos = place.up(services, [], { forget: /x{99}/ });
    await colos.line(/first +. ready/);
    const afterFirstBytes = residentBytes(colos.pid);

    await colos.line(/second +. ready/);
    const growthBytes = residentBytes(colos.pid) - afterFirstBytes;

    expect(growthBytes).toBeLessThan(128 * 1024 * 1024);
    expect(await colos.stop()).toEqual({ code: 0, signal: null });
  });
});

describe("colos up: words", () => {
  test("--help says how", async ({ place }) => {
    const colos = place.colos(["up", "--help"]);

    expect(await colos.ended).toEqual({ code: 0, signal: null });
    expect(colos.stdout).toMatch(/^colos up .*--foreground/s);
  });
});
