/** `colos logs` and `colos attach`; the log is an array, the daemon a fake. */
import { describe, expect, test } from "vitest";
import { FakeHost, instance } from "../../../test/fake-cli-host.ts";
import { FakeDaemon } from "../../../test/fake-daemon.ts";
import type { LogEntry } from "../../control/log.ts";
import { namesToldMax } from "../clear-logs.ts";
import { runCli } from "../main.ts";
import { batchCharsMax } from "../stream-lines.ts";

const entry = (service: string, text: string, rest: Partial<LogEntry> = {}): LogEntry => ({
  service,
  instance: 1,
  stream: "stdout",
  at: 1000,
  text,
  ...rest,
});

function hostWith(...entries: readonly LogEntry[]): FakeHost {
  const host = new FakeHost();
  host.entries = entries;
  host.services = ["web", "db"];
  return host;
}

const colos = (line: string, host: FakeHost): Promise<number> => runCli(line.split(" "), host);

/** Gives the entries, and no end after them. */
async function* endless(...entries: readonly LogEntry[]): AsyncGenerator<LogEntry> {
  yield* entries;
  await new Promise(() => {});
}

describe("colos logs --clear", () => {
  const log = (name: string, bytes: number) => ({ name, service: name, instance: 1, bytes });
  function hostToClear(): { readonly host: FakeHost; readonly daemon: FakeDaemon } {
    const [host, daemon] = [hostWith(), new FakeDaemon(instance("web"), instance("db"))];
    daemon.logs = [log("web", 12_900_000), log("db", 0)];
    host.manager = daemon;
    return { host, daemon };
  }

  test("shows what it would empty, asks, and says what was given back", async () => {
    const { host, daemon } = hostToClear();
    host.canAsk = true;
    host.input = ["yes"];

    expect(await colos("logs --clear web d*", host)).toBe(0);
    expect(host.stderr.text).toBe("Empty them? Type yes: ");
    expect(host.stdout.lines).toEqual([
      "web        12.3 MB",
      "db             0 B",
      "together   12.3 MB",
      "colos: gave back 12.3 MB of web, db",
    ]);
    expect(daemon.asked).toEqual([
      ["clearLogs", { names: ["web", "d*"], preview: true }],
      ["clearLogs", { names: ["web", "d*"] }],
    ]);
  });

  test.each([
    [["no"], true, "Empty them? Type yes: colos: nothing was done\n"],
    [
      [],
      false,
      "colos: logs are emptied only when somebody agrees; nobody can be asked here\n  Look at it with --dry-run, then say --yes.\n",
    ],
  ])("empties nothing when nobody agrees: %j", async (input, canAsk, said) => {
    const { host, daemon } = hostToClear();
    Object.assign(host, { input, canAsk });

    expect(await colos("logs --clear all", host)).toBe(5);
    expect(host.stderr.text).toBe(said);
    expect(daemon.asked).toEqual([["clearLogs", { names: ["all"], preview: true }]]);
  });

  test("--yes does not ask, --dry-run does nothing, --gone is about what is gone", async () => {
    const { host, daemon } = hostToClear();

    expect(await colos("logs --clear --gone --yes", host)).toBe(0);
    expect(host.stdout.lines).toEqual(["colos: gave back 12.3 MB of web, db"]);
    expect(await colos("logs --clear --gone --dry-run --json", host)).toBe(0);
    expect(JSON.parse(host.stdout.lines[1]!)).toEqual({ logs: daemon.logs, bytes: 12_900_000 });
    expect(daemon.asked).toEqual([
      ["clearLogs", { gone: true }],
      ["clearLogs", { gone: true, preview: true }],
    ]);
  });

  test("says so when there is nothing, and names no more than a line takes", async () => {
    const { host, daemon } = hostToClear();
    daemon.logs = [];
    expect(await colos("logs --clear --gone", host)).toBe(0);
    expect(host.stdout.lines).toEqual(["colos: nothing was recorded of them"]);

    daemon.logs = Array.from({ length: namesToldMax + 2 }, (_, index) => log(`s${index}`, 1));
    await colos("logs --clear all -y", host);
    expect(host.stdout.lines[1]).toBe("colos: gave back 10 B of s0, s1, s2, s3, s4, s5, s6, s7 and 2 more");
  });

  test.each([
    ["logs --clear", "colos logs: say whose logs to empty: names, all, or --gone for those that are gone"],
    ["logs --clear web --since 1h", "colos logs: --clear empties all that was recorded; leave --since out"],
    ["logs --clear web -f", "colos logs: --clear empties all that was recorded; leave --follow out"],
    ["logs --gone web", "colos logs: --gone is about all that are gone; leave the names out"],
    ["logs web --yes", "colos logs: --yes belongs to --clear"],
  ])("colos %s is wrong usage", async (line, sentence) => {
    const { host, daemon } = hostToClear();

    expect(await colos(line, host)).toBe(2);
    expect(host.stderr.text).toBe(`${sentence}\n`);
    expect(daemon.asked).toEqual([]);
  });
});

describe("colos logs", () => {
  test("shows whose line it is, and needs no daemon", async () => {
    const host = hostWith(entry("db", "hello"), entry("web", "two", { instance: 2 }), entry("db", ""));

    expect(await colos("logs", host)).toBe(0);
    expect(host.stdout.lines).toEqual(["db | hello", "web.2 | two", "db    |"]);
    expect(host.connected).toEqual([]);
  });

  test("says that there is nothing yet, but not to a program", async () => {
    const host = hostWith();
    host.services = [];

    expect(await colos("logs", host)).toBe(0);
    expect(host.stderr.text).toMatch(/^colos: nothing has been written in \S+ yet\n$/);
    expect(await colos("logs --json", host)).toBe(0);
    expect(host.stderr.lines).toHaveLength(1);
  });

  test("--json gives entries", async () => {
    const host = hostWith(entry("db", "hello"));

    await colos("logs --json", host);

    expect(JSON.parse(host.stdout.text)).toEqual(entry("db", "hello"));
  });

  test("--quiet gives the text alone, --time when it was", async () => {
    const host = hostWith(entry("db", "hello"));

    await colos("logs -q -t", host);

    expect(host.stdout.text).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:01 hello\n$/);
  });

  test("each service has a colour of its own", async () => {
    const host = hostWith(entry("db", "a"), entry("web", "b"));
    host.env["FORCE_COLOR"] = "1";

    await colos("logs", host);

    expect(host.stdout.lines).toEqual(["\u001b[36mdb |\u001b[39m a", "\u001b[35mweb |\u001b[39m b"]);
  });

  test("what a service wrote cannot do anything to the terminal", async () => {
    const host = hostWith(entry("db", "\u001b[2J\u001b]0;title\u0007x"));

    await colos("logs", host);

    expect(host.stdout.text).toBe("db | x\n");
  });

  const midnight = new Date(2026, 0, 31).getTime();
  test.each([
    ["logs", [{}], {}],
    ["logs all", [{}], {}],
    ["logs web db.2", [{ service: "web" }, { service: "db", instance: 2 }], {}],
    ["logs w* *.2 db", [{ pattern: "w*" }, { pattern: "*.2" }, { service: "db" }], {}],
    ["logs -f", [{}], { follow: true, linesMax: 10 }],
    ["logs -f -n 0", [{}], { follow: true, linesMax: 0 }],
    ["logs -f --since 10m", [{}], { follow: true, sinceAt: -600_000 }],
    ["logs --since 2026-01-31 --until 2026-01-31T01:00", [{}], { sinceAt: midnight, untilAt: midnight + 3_600_000 }],
    ["logs --since 1970-01-01T00:00:05Z", [{}], { sinceAt: 5000 }],
    ["logs --level warn --grep /a.b/i --stderr", [{}], { level: "warn", grep: "/a.b/i", stream: "stderr" }],
  ])("colos %s", async (line, selection, query) => {
    const host = hostWith();

    expect(await colos(line, host)).toBe(0);
    expect(host.logsAsked).toEqual([["/home/ada/.local/state/colos", selection, query]]);
  });

  test("asks the daemon whose tag it is", async () => {
    const host = hostWith();
    const manager = new FakeDaemon(
      instance("web", { tags: ["front"] }),
      instance("web.2", { service: "web", instance: 2, tags: ["front"] }),
      instance("db"),
    );
    host.manager = manager;

    expect(await colos("logs @front", host)).toBe(0);
    expect(host.logsAsked[0]![1]).toEqual([{ service: "web" }]);
    expect(manager.asked).toEqual([["list", { names: ["@front"] }]]);
  });

  test.each([
    ["logs x*", 'colos: no service that matches "x*" has logs; there are those of db, web\n'],
    ["logs wbe", 'colos: no service "wbe" has logs\n  Did you mean web?\n'],
  ])("colos %s is told who has logs", async (line, sentence) => {
    const host = hostWith();

    expect(await colos(line, host)).toBe(2);
    expect(host.stderr.text).toBe(sentence);
    expect(host.logsAsked).toEqual([]);
  });

  test("--gone shows what is gone", async () => {
    const host = hostWith();

    expect(await colos("logs --gone -n 1", host)).toBe(0);
    expect(host.logsAsked.map(([, ...asked]) => asked)).toEqual([[[{ gone: true }], { linesMax: 1 }]]);
  });

  test.each([
    ["logs -n x", 'colos logs: --lines: "x" is not a whole number from 0 to 1000000000'],
    [
      "logs --since yesterday",
      'colos logs: --since: "yesterday" is not a time such as 10m (ago), 2026-01-31 or 2026-01-31T23:05',
    ],
    ["logs --until 2026-13-01", /^colos logs: --until: "2026-13-01" is not a time/],
    ["logs --level wran", /^colos logs: --level: "wran" is not one of .*; did you mean "warn"\?/],
    ["logs --grep /(/", /^colos logs: --grep: Invalid regular expression/],
  ])("colos %s is wrong usage", async (line, sentence) => {
    const host = hostWith();

    expect(await colos(line, host)).toBe(2);
    expect(host.stderr.text.trimEnd()).toMatch(sentence);
    expect(host.logsAsked).toEqual([]);
  });

  test("a name without logs comes with the one that was probably meant", async () => {
    const host = hostWith();

    expect(await colos("logs wbe", host)).toBe(2);
    expect(host.stderr.lines).toEqual(['colos: no service "wbe" has logs', "  Did you mean web?"]);
  });

  test.each(["SIGINT", "SIGTERM"] as const)("-f ends with %s, after what came before it", async (signal) => {
    const host = hostWith();
    host.entries = endless(entry("db", "last words"));
    const exitCode = colos("logs -f", host);
    await host.stdout.written(1);

    host.signal(signal);

    expect(await exitCode).toBe(0);
    expect(host.stdout.lines).toEqual(["db | last words"]);
    expect(host.signalListenersCount).toBe(0);
  });

  test("a reader that goes away ends it", async () => {
    const host = hostWith();
    host.entries = endless(entry("db", "one"));
    const exitCode = colos("logs -f", host);
    await host.stdout.written(1);

    host.stdout.emit("error", Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));

    expect(await exitCode).toBe(0);
    expect(host.stderr.text).toBe("");
  });

  test("a slow reader slows the source down", async () => {
    const host = hostWith();
    let taken = 0;
    host.entries = (function* () {
      for (; taken < 10; taken++) yield entry("db", "x".repeat(batchCharsMax / 2));
    })();
    host.stdout.isFull = true;
    const exitCode = colos("logs", host);

    await host.stdout.written(1);
    await new Promise(setImmediate);
    const takenWhileFull = taken;
    host.stdout.isFull = false;
    host.stdout.emit("drain");

    expect(await exitCode).toBe(0);
    expect(takenWhileFull).toBeLessThan(4);
    expect(host.stdout.lines).toHaveLength(10);
  });
});

describe("colos attach", () => {
  function attachable(): FakeHost {
    const host = hostWith();
    host.manager = new FakeDaemon(
      instance("db"),
      instance("web", { service: "web" }),
      instance("web.2", { service: "web", instance: 2 }),
    );
    host.entries = endless(entry("db", "redis> "));
    return host;
  }

  test("what is typed goes to stdin, until the end of the input", async () => {
    const host = attachable();
    host.input = ["PING", "QUIT"];

    expect(await colos("attach db", host)).toBe(0);
    expect((host.manager as FakeDaemon).asked.slice(1)).toEqual([
      ["send", { name: "db", text: "PING" }],
      ["send", { name: "db", text: "QUIT" }],
    ]);
    expect(host.stderr.lines).toEqual([
      "colos: attached to db; Ctrl+C detaches, the service goes on",
      "colos: detached from db, which goes on",
    ]);
  });

  test("shows what the instance writes until Ctrl+C, which detaches", async () => {
    const host = attachable();
    host.input = endlessInput();
    const exitCode = colos("attach db", host);
    await host.stdout.written(1);

    host.signal("SIGINT");

    expect(await exitCode).toBe(0);
    expect(host.stdout.text).toBe("redis> \n");
    expect(host.logsAsked[0]!.slice(1)).toEqual([[{ service: "db", instance: 1 }], { follow: true, linesMax: 10 }]);
    expect((host.manager as FakeDaemon).asked).toEqual([["show", { name: "db" }]]);
  });

  test("a line that cannot be sent is told, and the next one is sent", async () => {
    const host = attachable();
    host.input = ["one", "two"];
    let isFirst = true;
    (host.manager as FakeDaemon).before = (operation) => {
      if (operation !== "send" || !isFirst) return;
      isFirst = false;
      throw new Error("db does not run");
    };

    expect(await colos("attach db", host)).toBe(0);
    expect(host.stderr.lines).toContain("colos: db does not run");
    expect((host.manager as FakeDaemon).asked.at(-1)).toEqual(["send", { name: "db", text: "two" }]);
  });

  test("several instances are not one", async () => {
    const host = attachable();

    expect(await colos("attach web", host)).toBe(2);
    expect(host.stderr.text).toBe("colos: web has 2 instances; attach to one of web, web.2\n");
  });
});

async function* endlessInput(): AsyncGenerator<string> {
  await new Promise(() => {});
  yield "";
}
