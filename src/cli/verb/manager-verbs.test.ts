/** The verbs that ask the manager, from the words that were typed to the exit code; the manager is a fake. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { FakeHost, FakeOutput, FakeTerminal, instance } from "../../../test/fake-cli-host.ts";
import { FakeDaemon } from "../../../test/fake-daemon.ts";
import { ConnectionLostError } from "../../control/manager-client.ts";
import { ManagerError } from "../../control/manager.ts";
import { homeBytesMax } from "../home.ts";
import { runCli } from "../main.ts";
import { textWidth } from "../text.ts";

function hostOf(manager: FakeDaemon | undefined): FakeHost {
  const host = new FakeHost();
  host.manager = manager;
  return host;
}

/** A fake daemon with db, ready, and two instances of web, of which the second is stopped. */
function shop(): FakeDaemon {
  return new FakeDaemon(
    instance("db", { carrier: "command", osPid: 41, uptimeMs: 12_000, memoryBytes: 45_193_000 }),
    instance("web.1", { service: "web", osPid: 42, uptimeMs: 11_000 }),
    instance("web.2", { service: "web", instance: 2, state: "stopped", reason: "a person stopped it" }),
  );
}

async function colos(line: string, host: FakeHost): Promise<number> {
  return runCli(line.split(" "), host);
}

describe("colos ps", () => {
  test("shows each instance and the daemon", async () => {
    const host = hostOf(shop());

    expect(await colos("ps", host)).toBe(0);
    expect(host.stdout.lines).toEqual([
      "name   carrier     state         pid   uptime  restarts   memory    cpu  last line",
      "db     command     ready          41      12s         0  43.1 MB      -",
      "web.1  os-process  ready          42      11s         0        -      -",
      "web.2  os-process  stopped         -        -         0        -      -  a person stopped it",
      "",
      "daemon 1.2.3 in /home/ada/.local/state/colos: pid 99, up 1m 00s, 42.9 MB",
    ]);
  });

  test.each(["ps", "show db"])("colos %s says what colos itself is short of", async (line) => {
    const daemon = shop();
    daemon.alarms = ["the disk is full\u001b[2J"];
    const host = hostOf(daemon);

    expect(await colos(line, host)).toBe(0);
    expect(host.stdout.lines.filter((each) => each.startsWith("! the disk is full"))).toHaveLength(1);
    expect(host.stdout.text).not.toContain("\u001b[2J");
  });

  test("fits a narrow terminal", async () => {
    const host = hostOf(shop());
    host.stdout = new FakeTerminal(40, 20);
    host.env["NO_COLOR"] = "1";

    await colos("ps", host);

    const table = host.stdout.lines.slice(0, 4);
    expect(Math.max(...table.map(({ length }) => length))).toBeLessThanOrEqual(40);
  });

  test("shows long names and lines whole where there is no terminal", async () => {
    const name = "x".repeat(60);
    const host = hostOf(new FakeDaemon(instance(name, { lastLogLine: "y".repeat(300) })));

    await colos("ps", host);

    expect(host.stdout.lines[1]).toContain(name);
    expect(host.stdout.lines[1]).toContain("y".repeat(300));
  });

  test("shows why an instance is as it is, and what it wrote last", async () => {
    const host = hostOf(
      new FakeDaemon(instance("job", { state: "scheduled", reason: "exit code 3", lastLogLine: "oops" })),
    );

    await colos("ps", host);

    expect(host.stdout.lines[1]).toMatch(/ exit code 3 · oops$/);
  });

  test("--json gives what the daemon said", async () => {
    const manager = shop();
    const host = hostOf(manager);

    expect(await colos("ps --json", host)).toBe(0);
    expect(JSON.parse(host.stdout.text)).toEqual(await manager.list());
  });

  test("--quiet gives names", async () => {
    const host = hostOf(shop());

    await colos("ps --quiet", host);

    expect(host.stdout.lines).toEqual(["db", "web.1", "web.2"]);
  });

  test("shows those that are named", async () => {
    const host = hostOf(shop());

    expect(await colos("ps --quiet web*", host)).toBe(0);
    expect(host.stdout.lines).toEqual(["web.1", "web.2"]);
    expect(await colos("ps wbe", host)).toBe(2);
    expect(host.stderr.text).toBe('colos: there is no service "wbe"; did you mean "web"?\n');
  });

  test("--check answers by its exit code, and says who is not well", async () => {
    const manager = shop();
    const host = hostOf(manager);

    expect(await colos("ps --check db", host)).toBe(0);
    expect(host.stdout.lines[1]).toMatch(/^db /);
    expect(host.stderr.text).toBe("");

    const quiet = hostOf(manager);
    manager.problems = [{ name: "web.2", sentence: "web.2 is stopped: somebody stopped it", lastLines: [] }];
    expect(await colos("ps --check --quiet web", quiet)).toBe(1);
    expect(quiet.stdout.text).toBe("");
    expect(quiet.stderr.text).toBe("colos: web.2 is stopped: somebody stopped it\n");
    expect(manager.asked.at(-1)).toEqual(["check", { names: ["web"] }]);

    const json = hostOf(manager);
    expect(await colos("ps --check --json", json)).toBe(1);
    expect(JSON.parse(json.stdout.text)).toEqual({ instances: manager.statuses, problems: manager.problems });
  });

  test("--tags shows whose they are", async () => {
    const manager = new FakeDaemon(
      ...[instance("web", { tags: ["front"] }), instance("api", { tags: ["back", "front"] }), instance("db")],
    );
    const lines = async (line: string): Promise<readonly string[]> => {
      const host = hostOf(manager);
      expect(await colos(line, host)).toBe(0);
      return host.stdout.lines;
    };

    expect(await lines("ps --tags")).toEqual(["@back   api", "@front  web, api"]);
    expect(await lines("ps --tags --quiet web")).toEqual(["@front"]);
    expect(await lines("ps --tags --json")).toEqual(['{"tags":{"back":["api"],"front":["web","api"]}}']);
    expect(await lines("ps --tags db")).toEqual(["no service has a tag"]);
    expect(await lines("ps --tags --quiet db")).toEqual([]);
  });

  test("says what to do when there are no services", async () => {
    const host = hostOf(new FakeDaemon());

    await colos("ps", host);

    expect(host.stdout.lines[0]).toBe("no services; colos up adds those of a config");
  });

  test("what a service wrote cannot do anything to the terminal", async () => {
    const host = hostOf(new FakeDaemon(instance("web", { lastLogLine: "\u001b[2Jgone" })));

    await colos("ps", host);

    expect(host.stdout.text).not.toContain("\u001b");
  });
});

describe("colos start, stop, restart", () => {
  test.each([
    ["start web", ["web.2 = ready", "web.1 = ready after 11.0 s"]],
    ["stop all", ["db    = stopped", "web.1 = stopped", "web.2 = stopped: a person stopped it"]],
  ])("colos %s shows where each instance got", async (line, lines) => {
    const host = hostOf(shop());

    expect(await colos(line, host)).toBe(0);
    expect(host.stdout.lines.map((each) => each.replace(/ after .*|\(pid.*/, "")).toSorted()).toEqual(
      lines.map((each) => each.replace(/ after .*/, "")).toSorted(),
    );
  });

  test.each(["start", "stop", "restart"])("colos %s asks for what was typed", async (verb) => {
    const manager = shop();

    await colos(`${verb} db web.1 --timeout 30s --quiet`, hostOf(manager));

    expect(manager.asked).toEqual([[verb, { names: ["db", "web.1"], timeoutMs: 30_000 }]]);
  });

  test("--no-wait is passed on", async () => {
    const manager = shop();

    await colos("start --no-wait all --json", hostOf(manager));

    expect(manager.asked).toEqual([["start", { names: ["all"], wait: false }]]);
  });

  test("--quiet says nothing when it works", async () => {
    const host = hostOf(shop());

    expect(await colos("restart -q web", host)).toBe(0);
    expect([host.stdout.text, host.stderr.text]).toEqual(["", ""]);
  });

  test("--json gives the report", async () => {
    const host = hostOf(shop());

    expect(await colos("start web.2 --json", host)).toBe(0);
    expect(JSON.parse(host.stdout.text)).toMatchObject({
      instances: [{ name: "web.2", state: "ready" }],
      problems: [],
    });
  });

  test("a failure is a sentence, the last lines and what to do", async () => {
    const manager = shop();
    manager.problems = [
      { name: "web.2", sentence: "exited with code 3", lastLines: ["no port"], advice: "See colos logs web.2." },
    ];
    const host = hostOf(manager);

    expect(await colos("start web", host)).toBe(1);
    expect(host.stderr.lines).toEqual(["colos: web.2: exited with code 3", "  | no port", "  See colos logs web.2."]);
  });

  test("on a terminal a table in place shows how far it is", async () => {
    const host = hostOf(shop());
    const terminal = new FakeTerminal();
    host.stdout = terminal;
    host.env["NO_COLOR"] = "1";

    expect(await colos("start web", host)).toBe(0);
    expect(terminal.screen[0]).toBe("start: 2 of 2 ready after 0 ms");
    expect(terminal.screen.slice(1)).toEqual([
      expect.stringMatching(/^web\.1 .* ready/),
      expect.stringMatching(/^web\.2 .* ready/),
    ]);
    expect(terminal.isCursorShown).toBe(true);
  });

  test("Ctrl+C ends the waiting and says that it goes on", async () => {
    const manager = shop();
    manager.before = (operation) => (operation === "start" ? new Promise(() => {}) : undefined);
    const host = hostOf(manager);
    const exitCode = colos("start web", host);
    await host.isListening;

    host.signal("SIGINT");

    expect(await exitCode).toBe(130);
    expect(host.stderr.text).toBe("colos: no longer waited for; it goes on\n");
    expect(host.signalListenersCount).toBe(0);
  });

  test.each([
    ["start", "colos start: a name is missing; write colos start <name…> or colos start all"],
    ["stop all web", "colos stop: all is everything; leave the other names out"],
    [
      "stop web --timeout 30",
      'colos stop: --timeout: "30" is not a time such as 500ms, 30s, 5m or 2h, of at most 24 days',
    ],
    [
      "stop web --timeout 0s",
      'colos stop: --timeout: "0s" is not a time such as 500ms, 30s, 5m or 2h, of at most 24 days',
    ],
    ["stop web --wait --no-wait", "colos stop: --wait and --no-wait are opposites; leave one out"],
    ["stop web --no-wait --timeout 3s", "colos stop: --timeout needs the waiting that --no-wait leaves out"],
    ["ps --check --tags", "colos ps: --check and --tags are two questions; ask one of them"],
    [
      "stop @",
      "colos stop: \"@\" cannot be a name such as web or web.2, a pattern such as 'web*', or a tag such as @backend",
    ],
    ["down web", 'colos down: takes options only; "web" is too many'],
    ["show", "colos show: a name is missing; write colos show <name>"],
    ["show a b", 'colos show: takes one name; "b" is too many'],
  ])("colos %s is wrong usage, and the daemon is not asked", async (line, sentence) => {
    const host = hostOf(shop());

    expect(await colos(line, host)).toBe(2);
    expect(host.stderr.text).toBe(`${sentence}\n`);
    expect(host.connected).toEqual([]);
  });
});

describe("colos down", () => {
  test("says what it stopped", async () => {
    const host = hostOf(shop());

    expect(await colos("down", host)).toBe(0);
    expect(host.stdout.lines.slice(0, -1).toSorted()).toEqual([
      expect.stringMatching(/^db {4}= stopped/),
      expect.stringMatching(/^web\.1 = stopped/),
    ]);
    expect(host.stdout.lines.at(-1)).toBe("colos: everything is stopped, the daemon has ended");
  });
});

describe("colos reload, scale, remove", () => {
  test.each([
    ["reload web --no-wait", ["reload", { names: ["web"], wait: false }]],
    ["scale web 3 --timeout 1m", ["scale", { name: "web", instances: 3, timeoutMs: 60_000 }]],
    ["remove db web", ["remove", { names: ["db", "web"] }]],
  ])("colos %s", async (line, asked) => {
    const manager = shop();

    expect(await colos(`${line} -q`, hostOf(manager))).toBe(0);
    expect(manager.asked).toEqual([asked]);
  });

  test("remove says what is forgotten and what is not", async () => {
    const host = hostOf(shop());

    expect(await colos("remove db", host)).toBe(0);
    expect(host.stdout.lines).toEqual([expect.stringMatching(/^db = stopped/), "colos: removed db; the logs stay"]);
  });

  test.each([
    ["scale web", "colos scale: a name and a number are needed; write colos scale <name> <instances>"],
    ["scale web 0", 'colos scale: "0" is not a whole number from 1 to 1000'],
    ["scale web 1001", 'colos scale: "1001" is not a whole number from 1 to 1000'],
    ["scale web two", 'colos scale: "two" is not a whole number from 1 to 1000'],
    ["scale web 2 3", 'colos scale: takes one name and one number; "3" is too many'],
  ])("colos %s is wrong usage", async (line, sentence) => {
    const host = hostOf(shop());

    expect(await colos(line, host)).toBe(2);
    expect(host.stderr.text).toBe(`${sentence}\n`);
    expect(host.connected).toEqual([]);
  });
});

describe("colos kill", () => {
  test.each([
    ["kill web", { names: ["web"], signal: "SIGTERM" }],
    ["kill web HUP", { names: ["web"], signal: "SIGHUP" }],
    ["kill web db SIGUSR1", { names: ["web", "db"], signal: "SIGUSR1" }],
    ["kill web 9", { names: ["web"], signal: "SIGKILL" }],
    ["kill -s INT HUP", { names: ["HUP"], signal: "SIGINT" }],
    ["kill web hup", { names: ["web", "hup"], signal: "SIGTERM" }],
    ["kill KILL", { names: ["KILL"], signal: "SIGTERM" }],
  ])("colos %s", async (line, asked) => {
    const manager = new FakeDaemon(...["web", "db", "HUP", "hup", "KILL"].map((name) => instance(name, { osPid: 7 })));

    expect(await colos(line, hostOf(manager))).toBe(0);
    expect(manager.asked).toEqual([["kill", asked]]);
  });

  test("says who got it", async () => {
    const host = hostOf(shop());

    await colos("kill web HUP", host);

    expect(host.stdout.text).toBe("colos: sent SIGHUP to web.1 (pid 42)\n");
  });

  test.each([
    ["kill", "colos kill: a name is missing; write colos kill <name…> [signal]"],
    ["kill web HUB", 'colos kill: "HUB" is not an OS signal; did you mean "HUP"?'],
    ["kill -s hup web", 'colos kill: "hup" is not an OS signal; did you mean "HUP"?'],
    ["kill web 99", 'colos kill: "99" is not an OS signal; kill -l lists them'],
  ])("colos %s is wrong usage, and nothing is sent", async (line, sentence) => {
    const host = hostOf(shop());

    expect(await colos(line, host)).toBe(2);
    expect(host.stderr.text).toBe(`${sentence}\n`);
    expect(host.connected).toEqual([]);
  });
});

describe("colos send", () => {
  test("the words after the name are the line", async () => {
    const manager = shop();

    expect(await colos("send db say --loud hello", hostOf(manager))).toBe(0);
    expect(manager.asked).toEqual([["send", { name: "db", text: "say --loud hello" }]]);
  });

  test("without a text it is wrong usage", async () => {
    const host = hostOf(shop());

    expect(await colos("send db", host)).toBe(2);
    expect(host.stderr.text).toContain("a name and a text are needed");
  });
});

describe("colos call", () => {
  test.each([
    ["call db 40", 40, "40\n"],
    ["call db some text", "some text", "some text\n"],
    ['call --timeout 2s db {"a":[1]}', { a: [1] }, '{"a":[1]}\n'],
  ])("%s", async (line, request, shown) => {
    const manager = shop();
    const host = hostOf(manager);

    expect(await colos(line, host)).toBe(0);
    expect(manager.asked).toEqual([["call", expect.objectContaining({ request })]]);
    expect(host.stdout.text).toBe(shown);
  });

  test("a text of the reply can do nothing to a terminal, and is JSON with --json", async () => {
    const host = hostOf(shop());
    expect(await colos("call db \u001b[2J", host)).toBe(0);
    expect(host.stdout.text).not.toContain("\u001b");
    const other = hostOf(shop());
    expect(await colos("call --json db look", other)).toBe(0);
    expect(other.stdout.text).toBe('{"reply":"look"}\n');
  });

  test("without a request it is wrong usage", async () => {
    const host = hostOf(shop());

    expect(await colos("call db", host)).toBe(2);
    expect(host.stderr.text).toContain("a name and a request are needed");
  });
});

describe("colos why", () => {
  test("indents the causes of each line", async () => {
    const manager = shop();
    const db = {
      at: 1000,
      sentence: "db exited with code 1",
      causes: [{ sentence: "port 5432 is taken", causes: [] }],
    };
    manager.cause = { sentence: "web is waiting: db is not ready", causes: [db] };
    const host = hostOf(manager);

    expect(await colos("why web", host)).toBe(0);
    expect(host.stdout.lines).toEqual([
      "web is waiting: db is not ready",
      expect.stringMatching(/^ {2}db exited with code 1 \(\d{4}-\d\d-\d\d \d\d:\d\d:01\)$/),
      "    port 5432 is taken",
    ]);
  });
});

describe("colos tree", () => {
  const process = { kind: "os-process", name: "42", text: "serve", children: [] } as const;
  const web = { kind: "service", name: "web", text: "1 of 1 ready", children: [process] } as const;
  const db = { ...web, name: "db" };

  test.each([
    [
      "C.UTF-8",
      ["colos: 2 services", "├─ web: 1 of 1 ready", "│  └─ 42: serve", "└─ db: 1 of 1 ready", "   └─ 42: serve"],
    ],
    ["C", ["colos: 2 services", "|- web: 1 of 1 ready", "|  `- 42: serve", "`- db: 1 of 1 ready", "   `- 42: serve"]],
  ])("in the locale %s", async (locale, lines) => {
    const manager = shop();
    manager.root = { kind: "system", name: "colos", text: "2 services", children: [web, db] };
    const host = hostOf(manager);
    host.env["LANG"] = locale;

    expect(await colos("tree", host)).toBe(0);
    expect(host.stdout.lines).toEqual(lines);
  });

  test("fits a narrow terminal, colours and all", async () => {
    const manager = shop();
    manager.root = {
      kind: "system",
      name: "colos",
      text: "x".repeat(99),
      children: [{ ...web, name: "漢字".repeat(20) }],
    };
    const host = hostOf(manager);
    host.stdout = new FakeOutputOf(30);

    await colos("tree", host);

    expect(Math.max(...host.stdout.lines.map(textWidth))).toBeLessThanOrEqual(30);
  });
});

describe("colos plan", () => {
  const changes = [
    { service: "db", kind: "add", effect: "start", fields: [] },
    { service: "web", kind: "change", effect: "scale", fields: [{ path: "instances", from: "1", to: "3" }] },
    { service: "old", kind: "remove", effect: "stop", fields: [] },
  ] as const;

  test("shows the difference", async () => {
    const manager = shop();
    manager.changes = changes;
    const host = hostOf(manager);
    host.cwd = folder();

    expect(await colos("plan shop.json", host)).toBe(0);
    expect(host.stdout.lines).toEqual([
      "+ db: starts",
      "~ web: starts or stops instances, the others go on",
      "    instances: 1 → 3",
      "- old: stops",
    ]);
    expect(manager.asked.map(([operation]) => operation)).toEqual(["preview"]);
  });

  test.each([
    ["something to change", changes, 6],
    ["nothing to change", [], 0],
  ])("--check with %s", async (_, some, exitCode) => {
    const manager = shop();
    manager.changes = some;
    const host = hostOf(manager);
    host.cwd = folder();

    expect(await colos("plan shop.json --check --quiet", host)).toBe(exitCode);
    expect(host.stdout.text).toBe("");
  });

  test("without a daemon everything is new, and none is started", async () => {
    const host = hostOf(undefined);
    host.startable = shop();
    host.cwd = folder();

    expect(await colos("plan shop.json", host)).toBe(0);
    expect(host.stdout.lines).toEqual(["+ db: starts", "+ web: starts"]);
    expect(host.stderr.text).toMatch(/^colos: no daemon is running in \S+; colos up starts one, and this\n$/);
    expect(await colos("plan shop.json --check --quiet", host)).toBe(6);
    expect(host.daemonsStarted).toEqual([]);
  });

  test("what runs on without a daemon is not compared with nothing", async () => {
    const host = hostOf(undefined);
    host.cwd = folder();
    host.runningCount = () => Promise.resolve(2);

    expect(await colos("plan shop.json", host)).toBe(3);
    expect(host.stderr.text).toContain("but 2 services run on");
  });
});

describe("colos events", () => {
  test("shows what happens until Ctrl+C", async () => {
    const manager = shop();
    const host = hostOf(manager);
    const exitCode = colos("events --json", host);
    await host.isListening;

    manager.emit({ type: "note", at: 5, sentence: "the disk is full" });
    await host.stdout.written(1);
    host.signal("SIGINT");

    expect(await exitCode).toBe(0);
    expect(host.stdout.lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { type: "note", at: 5, sentence: "the disk is full" },
    ]);
  });

  test("are those of whom they name", async () => {
    const manager = shop();
    const host = hostOf(manager);
    const exitCode = colos("events --json db", host);
    await host.isListening;

    manager.change(instance("web.1", { service: "web", state: "stopping" }));
    manager.change(instance("db", { state: "stopping" }));
    await host.stdout.written(1);
    host.signal("SIGINT");

    expect(await exitCode).toBe(0);
    expect(host.stdout.lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([{ status: { name: "db" } }]);
  });

  test("a daemon that goes away meanwhile is a failure", async () => {
    const manager = shop();
    const host = hostOf(manager);
    manager.events = failing;

    expect(await colos("events", host)).toBe(1);
    expect(host.stderr.text).toBe("colos: the connection to the daemon was lost\n");
  });
});

/** Events that are lost at once. */
// oxlint-disable-next-line require-yield
async function* failing(): AsyncGenerator<never> {
  throw new ManagerError("internal", "the connection to the daemon was lost");
}

/** A terminal that is not looked at: so many columns, and no escapes but colours. */
class FakeOutputOf extends FakeOutput {
  override readonly isTTY = true;
  readonly columns: number;

  constructor(columns: number) {
    super();
    this.columns = columns;
  }
}

describe("colos heart", () => {
  test.each([
    [12, shop(), 0, "the heart beats (pid 12), the daemon answers (pid 99)"],
    [undefined, shop(), 1, "no heart beats, the daemon answers (pid 99)"],
    [12, undefined, 3, "the heart beats (pid 12), no daemon runs"],
    [undefined, undefined, 3, "no heart beats, no daemon runs"],
  ])("heart %s, daemon %s: exit code %s", async (heartPid, manager, exitCode, text) => {
    const host = hostOf(manager);
    host.heartPid = heartPid;

    expect(await colos("heart", host)).toBe(exitCode);
    expect(host.stdout.text).toBe(`/home/ada/.local/state/colos: ${text}\n`);
  });

  test("--json gives pids", async () => {
    const host = hostOf(shop());

    await colos("heart --json", host);

    expect(JSON.parse(host.stdout.text)).toEqual({ heart: null, daemon: { osPid: 99 } });
  });
});

describe("colos show", () => {
  test("shows the plan, the instances and their runs", async () => {
    const host = hostOf(shop());

    expect(await colos("show web.1", host)).toBe(0);
    expect(host.stdout.lines).toEqual([
      "web is to be up",
      "  runs       serve --port 80 (command)",
      "  in         /srv",
      "  instances  1",
      "  ready      when it has run for 300 ms",
      "  restart    always, pauses of 100 ms to 15 s, degraded after 5 in 30 s",
      "  stop       SIGTERM, SIGKILL after 5 s",
      "  logged     1 B or 1 ms a file, 1 B in all",
      "  needed by  shop",
      "",
      "web.1 = ready",
      "  process   pid 42, up 11s",
      "  restarts  0; 1 of 5 in the last 30 s",
      "  files     /h/services/web/1",
      "  logs      /h/services/web/1/log",
      expect.stringMatching(/^ {2}runs {6}web\.1\.2 started \d{4}-\d\d-\d\d \d\d:\d\d:01, ready after 120 ms$/),
    ]);
  });
});

/** A folder with shop.json (db and web) and bad.json. */
function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "colos-up-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  writeFileSync(join(path, "shop.json"), '{"services": {"db": {"command": ["sh"]}, "web": {"command": ["sh"]}}}');
  writeFileSync(join(path, "bad.json"), '{"services": {"db": {"command": ["sh"], "restart": "allways"}}}');
  return path;
}

describe("a daemon that does not answer", () => {
  const silence = { sinceAt: new Date(2026, 0, 31, 23, 5, 9).getTime(), isWatched: true, silenceMaxMs: 30_000 };
  const sentence = "colos: the daemon has not answered since 23:05:09, and is waited for";

  test("is told of on a terminal, with what becomes of it", async () => {
    const daemon = shop();
    const host = hostOf(daemon);
    host.stderr = new FakeTerminal(200, 24);
    daemon.before = () => host.silent?.(silence);

    expect(await colos("ps --json", host)).toBe(0);
    expect(host.stderr.text).toContain(
      `${sentence}; its heart puts another in its place when it says nothing for 30 s`,
    );
    expect(host.stdout.lines).toHaveLength(1);

    daemon.before = () => host.silent?.({ ...silence, isWatched: false });
    await colos("ps", host);
    expect(host.stderr.text).toContain(`${sentence}; no heart watches over it: whoever stopped it`);
  });

  test("is told of above what is drawn on the terminal", async () => {
    const daemon = shop();
    const host = hostOf(daemon);
    const terminal = new FakeTerminal(200, 24);
    host.stdout = terminal;
    host.stderr = new FakeTerminal(200, 24);
    host.env["NO_COLOR"] = "1";
    daemon.before = (operation) => void (operation === "stop" && host.silent?.(silence));

    expect(await colos("stop db", host)).toBe(0);
    const [first, second, third] = terminal.screen;
    expect(first).toContain(sentence);
    expect([second, third].join()).toContain("stop: 1 of 1 stopped");
    expect(host.stderr.text).toBe("");
  });

  test("is no matter where nobody reads it: with a pipe nobody even asks", async () => {
    const host = hostOf(shop());

    await colos("ps", host);
    expect(host.silent).toBe(undefined);
  });
});

describe("colos up", () => {
  const added = [
    { service: "db", kind: "keep", effect: "none", fields: [] },
    { service: "web", kind: "change", effect: "restart", fields: [{ path: "env.PORT", from: '"80"', to: '"81"' }] },
  ] as const;

  test("on a terminal it does not count as missing what is stopped and is to be", async () => {
    const host = hostOf(shop());
    const terminal = new FakeTerminal();
    host.stdout = terminal;
    host.cwd = folder();
    host.env["NO_COLOR"] = "1";

    expect(await colos("up shop.json", host)).toBe(0);
    expect(terminal.screen[0]).toBe("up: 2 of 2 ready after 0 ms");
  });

  test.each([
    ["elsewhere", true, ["here"]],
    ["there", false, []],
  ])("--unit has a daemon that stands %s stand in the unit", async (_, isElsewhere, places) => {
    const manager = shop();
    const host = hostOf(manager);
    host.cwd = folder();
    host.isElsewhere = isElsewhere;
    host.startable = manager;

    expect(await colos("up --unit shop.json", host)).toBe(0);
    expect(host.places).toEqual(places);
    expect(manager.asked.some(([operation]) => operation === "handOver")).toBe(isElsewhere);
  });

  test("prints the changes, what becomes of them, and how it all is", async () => {
    const manager = shop();
    manager.changes = added;
    const host = hostOf(manager);
    host.cwd = folder();

    expect(await colos("up shop.json", host)).toBe(0);
    expect(host.stdout.lines.slice(0, 2)).toEqual(["~ web: restarts", '    env.PORT: "80" → "81"']);
    expect(host.stdout.lines).toContain("web.2 = ready");
    expect(host.stdout.lines.at(-1)).toBe("colos: 3 ready, after 0 ms");
    expect(manager.asked.at(-1)).toMatchObject([
      "apply",
      {
        plan: { services: [{ name: "db" }, { name: "web" }] },
        env: { PATH: "/usr/bin:/bin" },
        source: join(host.cwd, "shop.json"),
      },
    ]);
  });

  test("the same config twice changes nothing, and says so", async () => {
    const manager = shop();
    manager.changes = [added[0]];
    const host = hostOf(manager);
    host.cwd = folder();

    expect(await colos("up shop.json", host)).toBe(0);
    expect(host.stdout.lines).toEqual(["colos: nothing changed; 2 ready, 1 stopped"]);
  });

  test("starts a daemon when there is none", async () => {
    const host = hostOf(undefined);
    host.startable = shop();
    host.cwd = folder();

    expect(await colos("up shop.json --home h", host)).toBe(0);
    expect(host.daemonsStarted).toEqual([join(host.cwd, "h")]);
    expect(host.stdout.lines[0]).toBe(`colos: started a daemon in ${join(host.cwd, "h")}`);
  });

  test("ends the daemon that it has started for a config which is refused, also when that one was killed meanwhile", async () => {
    const host = hostOf(undefined);
    const manager = shop();
    host.startable = manager;
    host.cwd = folder();
    const answers = [new ConnectionLostError("it was killed"), new ManagerError("refused", "there is no user www")];
    manager.before = (operation) => {
      if (operation === "apply") throw answers.shift()!;
    };

    expect(await colos("up shop.json", host)).toBe(5);
    expect(host.daemonsStarted).toHaveLength(1);
    expect(manager.asked.at(-1)).toMatchObject(["down", { ifUnused: true }]);
  });

  test("a daemon that cannot be started is a sentence", async () => {
    const host = hostOf(undefined);
    host.cwd = folder();

    expect(await colos("up shop.json", host)).toBe(1);
    expect(host.stderr.text).toBe("colos: a daemon cannot be started here\n  | no space left\n");
  });

  test("a wrong config starts no daemon and asks none", async () => {
    const host = hostOf(shop());
    host.cwd = folder();

    expect(await colos("up bad.json", host)).toBe(2);
    expect(host.connected).toEqual([]);
    expect(host.stderr.text).toContain("bad.json");
  });

  test("--no-wait does not say that anything is ready", async () => {
    const manager = shop();
    manager.changes = added;
    const host = hostOf(manager);
    host.cwd = folder();

    expect(await colos("up shop.json --no-wait", host)).toBe(0);
    expect(host.stdout.lines.at(-1)).toMatch(/^colos: asked for; colos ps shows how it goes/);
  });

  test("services get little of the environment", async () => {
    const manager = shop();
    const host = hostOf(manager);
    host.cwd = folder();
    Object.assign(host.env, { LC_TIME: "C", TOKEN: "hush-hush", HOME: "/home/ada" });

    await colos("up shop.json", host);

    expect(manager.asked.at(-1)).toMatchObject([
      "apply",
      { env: { PATH: "/usr/bin:/bin", LC_TIME: "C", HOME: "/home/ada" } },
    ]);
    expect(JSON.stringify(manager.asked)).not.toContain("hush-hush");
  });
});

const needDaemon = [
  ...["ps", "start all", "stop web", "restart web", "reload web", "scale web 2", "remove web", "down"],
  ...["show web", "why web", "tree", "events", "kill web", "send web hi", "attach web"],
];

describe("colos: when it cannot be asked", () => {
  test.each(needDaemon)("colos %s without a daemon says so, starts none, exit code 3", async (line) => {
    const host = hostOf(undefined);
    host.startable = shop();

    expect(await colos(line, host)).toBe(3);
    expect(host.stderr.text).toBe(
      "colos: no daemon is running in /home/ada/.local/state/colos\n  Start one with: colos up\n",
    );
    expect(host.stdout.text).toBe("");
    expect(host.daemonsStarted).toEqual([]);
  });

  test.each([
    [Object.assign(new Error("mkdir EACCES"), { code: "EACCES" }), 5, /^colos: mkdir EACCES$/m],
    [new Error("the daemon's answer is no JSON"), 1, /^colos: the daemon's answer is no JSON$/m],
    [
      new ManagerError("refused", "it is being updated", "try again in a minute"),
      5,
      /it is being updated\n {2}try again/,
    ],
    [new ManagerError("timeout", "web is not ready after 3 s; it goes on"), 4, /not ready after 3 s/],
    [
      new ManagerError("refused", "one thing\nanother thing", "do this"),
      5,
      /^colos: one thing\nanother thing\n {2}do this\n$/,
    ],
    [new ManagerError("busy", "too many requests"), 1, /too many requests/],
    [new ManagerError("internal", "a bug"), 1, /a bug/],
    [new ManagerError("invalid", "no such thing"), 2, /no such thing/],
  ])("%s", async (error, exitCode, sentence) => {
    const manager = shop();
    manager.before = () => {
      throw error;
    };
    const host = hostOf(manager);

    expect(await colos("stop web --quiet", host)).toBe(exitCode);
    expect(host.stderr.text).toMatch(sentence);
  });

  test.each([
    [homeBytesMax, 0],
    [homeBytesMax + 1, 2],
  ])("a home of %s bytes: exit code %s", async (bytes, exitCode) => {
    const host = hostOf(shop());

    expect(await colos(`ps --home /${"x".repeat(bytes - 1)}`, host)).toBe(exitCode);
    expect(host.connected).toHaveLength(exitCode === 0 ? 1 : 0);
  });

  test("with --json the error is JSON, too", async () => {
    const host = hostOf(undefined);

    expect(await colos("ps --json", host)).toBe(3);
    expect(JSON.parse(host.stdout.text)).toEqual({
      error: {
        code: "absent",
        message: "no daemon is running in /home/ada/.local/state/colos",
        advice: "Start one with: colos up",
      },
    });
  });

  test("an unknown name comes with the one that was probably meant", async () => {
    const host = hostOf(shop());

    expect(await colos("start wbe", host)).toBe(2);
    expect(host.stderr.text).toBe('colos: there is no service "wbe"; did you mean "web"?\n');
  });
});
