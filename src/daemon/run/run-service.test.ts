import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildRunDaemon, RunDaemonProcess } from "../../../test/run-daemon-process.ts";
import { newHome, openTestRuns, shellSpec, specOf } from "../../../test/run-home.ts";
import { turn } from "../../../test/system/turn.ts";
import { inputBytesMax, inputsWaitingMax } from "./run-input.ts";

const folder = mkdtempSync(join(tmpdir(), "colos-run-service-"));
let file: string;
beforeAll(async () => {
  file = await buildRunDaemon(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Prints what it is given, as JSON. */
const says = (expression: string): [string, ...string[]] => [
  process.execPath,
  "-e",
  `console.log(JSON.stringify(${expression}))`,
];

describe("what a service gets", () => {
  test("is its arguments and variables as they are, whatever is in them", async () => {
    const { home, runs, recorder, end } = openTestRuns(newHome());
    const odd = `a 'b' "c" $HOME \`d\` \\ * \n\n'\n; exit 1 \u00e4 \t #`;
    const [node, ...args] = says("[process.argv[1], process.env.ODD, process.env.PATH, process.env.status]");
    const argv: [string, ...string[]] = [node, ...args, odd];
    await runs.start(specOf(home, "web.1.1", { argv, env: { ODD: odd, PATH: "/only/here", status: "mine" } }));
    await end("web.1.1");

    expect(JSON.parse(recorder.textOf("web.1.1").stdout)).toEqual([odd, odd, "/only/here", "mine"]);
  });

  test("has no PATH when there is none, and nothing of colos but its run and home", async () => {
    const { home, runs, recorder, end } = openTestRuns(newHome());
    const names = says("Object.keys(process.env).filter((name) => /^(PATH|COLOS_)/i.test(name)).sort()");
    const spec = specOf(home, "web.1.1", { argv: names });
    const { PATH, ...env } = spec.env;
    await runs.start({ ...spec, env });
    await end("web.1.1");

    expect(PATH).toBeDefined();
    expect(JSON.parse(recorder.textOf("web.1.1").stdout)).toEqual(["COLOS_HOME", "COLOS_RUN", "COLOS_TEST_MARK"]);
  });

  test("has variables whose names no shell knows, with whatever is in them", async () => {
    const { home, runs, recorder, end } = openTestRuns(newHome());
    const odd = { "discovery.type": `'single' "node" $HOME\n`, "-i": "1", "ä b": "" };
    const names = says(`${JSON.stringify(Object.keys(odd))}.map((name) => process.env[name])`);
    const spec = specOf(home, "web.1.1", { argv: names });
    await runs.start({ ...spec, env: { ...spec.env, ...odd } });
    await end("web.1.1");
    expect(JSON.parse(recorder.textOf("web.1.1").stdout)).toEqual(Object.values(odd));

    const confusing = join(folder, "a=b");
    symlinkSync(process.execPath, confusing);
    const refused = runs.start({ ...specOf(home, "web.1.2", { argv: [confusing, "-v"] }), env: odd });
    await expect(refused).rejects.toThrow(/a=b cannot be given the variable discovery.type: that takes env\(1\)/);
  });

  test("is not what was meant for somebody else, nor what would end a shell", async () => {
    const { home, runs, recorder, end } = openTestRuns(newHome());
    const env = { LISTEN_FDS: "3", NOTIFY_SOCKET: "/run/systemd/notify", OPTIND: "none", kept: "1" };
    const names = says(`Object.keys(process.env).filter((name) => ${JSON.stringify(Object.keys(env))}.includes(name))`);
    await runs.start(specOf(home, "web.1.1", { argv: names, env }));
    await end("web.1.1");

    expect(JSON.parse(recorder.textOf("web.1.1").stdout)).toEqual(["kept"]);
  });

  test("is no file descriptor of the shim's, and a session of its own", async () => {
    const { home, runs, recorder, end } = openTestRuns(newHome());
    const inherited = execFileSync("ls", ["/proc/self/fd"]).toString(); // what the tests themselves were started with
    await runs.start(specOf(home, "web.1.1", { argv: ["ls", "/proc/self/fd"], stdin: "pipe" }));
    const stat: [string, ...string[]] = ["cut", "-d", " ", "-f", "1,5,6", "/proc/self/stat"];
    const { osPid } = await runs.start(specOf(home, "web.1.2", { argv: stat }));
    await Promise.all(["web.1.1", "web.1.2"].map(end));

    expect(recorder.textOf("web.1.1").stdout).toBe(inherited);
    expect(recorder.textOf("web.1.2").stdout).toBe(`${osPid} ${osPid} ${osPid}\n`);
  });

  test("is in no file of the home", async () => {
    const { home, runs, end } = openTestRuns(newHome());
    await runs.start(specOf(home, "web.1.1", { env: { PASSWORD: "very-secret" } }));
    await end("web.1.1");

    const texts = readdirSync(home.runs).map((name) => readFileSync(join(home.runs, name), "utf8"));
    expect(texts.length).toBeGreaterThan(2);
    expect(texts.filter((text) => text.includes("very-secret"))).toEqual([]);
  });

  test("is what is prepared for it", async () => {
    const prepare = async (): Promise<object> => ({ preamble: "ulimit -n 123", prefix: ["/usr/bin/nice", "-n", "5"] });
    const { home, runs, recorder, end } = openTestRuns(newHome(), { prepare });
    await runs.start(shellSpec(home, "web.1.1", "ulimit -n; nice"));
    await end("web.1.1");

    expect(recorder.textOf("web.1.1").stdout).toBe("123\n5\n");
  });
});

describe("what a service writes", () => {
  test("is all read, also when nobody reads before it has ended", async () => {
    const { home, runs, recorder, end } = openTestRuns(newHome());
    recorder.isReading = false;
    const lines = Array.from({ length: 1_000 }, (_, index) => `line ${index}\n`).join("");
    writeFileSync(join(home.root, "lines"), lines);
    await runs.start(shellSpec(home, "web.1.1", `cat ${home.root}/lines; echo err >&2`));
    while (readdirSync(home.runs).every((name) => name !== "web.1.1.exit")) await turn();

    recorder.isReading = true;

    await end("web.1.1");
    expect(recorder.textOf("web.1.1")).toEqual({ stdout: lines, stderr: "err\n" });
  });

  test("waits while nobody reads, and ends nobody", async () => {
    const { home, runs, recorder, end } = openTestRuns(newHome());
    recorder.isReading = false;
    const script = `echo >${home.root}/began; head -c 1000000 /dev/zero; echo end`;
    await runs.start(shellSpec(home, "web.1.1", script));
    while (!existsSync(join(home.root, "began"))) await turn();

    recorder.isReading = true;

    expect(await end("web.1.1")).toMatchObject({ code: 0 });
    expect(recorder.textOf("web.1.1").stdout).toHaveLength(1_000_004);
  });
});

describe("input", () => {
  test("reaches the service in order", async () => {
    const { home, runs, recorder, end } = openTestRuns(newHome());
    await runs.start(
      shellSpec(home, "web.1.1", `while read -r line && [ "$line" != end ]; do echo "<$line>"; done`, {
        stdin: "pipe",
      }),
    );

    await Promise.all(["one\n", "two\n", "end\n"].map((line) => runs.write("web.1.1", line)));

    await end("web.1.1");
    expect(recorder.textOf("web.1.1").stdout).toBe("<one>\n<two>\n");
  });

  test("is refused with a sentence where nobody takes it", async () => {
    const { home, runs, end } = openTestRuns(newHome());
    await runs.start(specOf(home, "web.1.1", { argv: ["sleep", "1000"] }));
    await runs.start(specOf(home, "web.2.1", { argv: ["sleep", "1000"], stdin: "pipe" }));
    const line = "x".repeat(inputBytesMax);

    await expect(runs.write("web.1.1", "a\n")).rejects.toThrow(
      'the service has no input; its config says stdin: "null"',
    );
    await expect(runs.write("web.9.1", "a\n")).rejects.toThrow("nothing runs that could read it");
    await expect(runs.write("web.2.1", `${line}x`)).rejects.toThrow(
      "takes at most 65536 bytes of input at once, and these are 65537",
    );
    await runs.write("web.2.1", line);
    await expect(runs.write("web.2.1", "a\n")).rejects.toThrow("the service does not read its input");
    runs.kill("web.2.1");
    await end("web.2.1");
    await expect(runs.write("web.2.1", "a\n")).rejects.toThrow("nothing runs that could read it");
  });

  test("waits for what is before it, up to a limit", async () => {
    const { home, runs } = openTestRuns(newHome());
    await runs.start(specOf(home, "web.1.1", { argv: ["sleep", "1000"], stdin: "pipe" }));
    await runs.write("web.1.1", "x".repeat(inputBytesMax));
    const waiting = Array.from({ length: inputsWaitingMax }, () => runs.write("web.1.1", "a\n").catch(() => {}));

    await expect(runs.write("web.1.1", "a\n")).rejects.toThrow("the service does not read its input");

    runs.kill("web.1.1");
    await Promise.all(waiting);
  });
});

describe("readiness", () => {
  test("is told once when the service writes to its file descriptor", async () => {
    const { home, runs, readies, end } = openTestRuns(newHome());
    const readiness = { kind: "fd", fd: 5 } as const;
    await runs.start(shellSpec(home, "web.1.1", "echo ready >&5; echo again >&5; exec sleep 1000", { readiness }));

    while (readies.length === 0) await turn();
    runs.kill("web.1.1");
    await end("web.1.1");

    expect(readies).toEqual(["web.1.1"]);
  });

  test("is known to the next daemon", async () => {
    const before = openTestRuns(newHome());
    const readiness = { kind: "fd", fd: 9 } as const;
    await before.runs.start(shellSpec(before.home, "web.1.1", "echo ready >&9; exec sleep 1000", { readiness }));
    while (before.readies.length === 0) await turn();
    await before.runs.close();

    const { runs } = openTestRuns(before.home);

    expect(await runs.recover()).toMatchObject([{ state: "running", isReady: true }]);
  });

  test("on a file descriptor that is taken is refused", async () => {
    const { home, runs } = openTestRuns(newHome());
    const readiness = { kind: "fd", fd: 3 } as const;
    const listen = [{ port: 1, host: "127.0.0.1" }];

    await expect(runs.start(specOf(home, "web.1.1", { readiness, listen }))).rejects.toMatchObject({
      message: "true cannot say that it is ready on file descriptor 3: use 4 to 9",
      isOwnTrouble: false,
    });
  });

  test("what a service says of its state is passed on, and nothing else", async () => {
    const { home, runs, recorder, statuses } = openTestRuns(newHome());
    await runs.start(specOf(home, "web.1.1", { argv: ["sleep", "1000"] }));

    recorder.note("web.1.1", "READY=1\nSTATUS=half done\nMAINPID=4711");
    recorder.note("web.1.1", "BARRIER=1");
    recorder.note("other.1.1", "STATUS=not ours");

    expect(statuses).toEqual(["half done"]);
  });
});

test("when the daemon is short of file descriptors, that is its own trouble", async () => {
  const home = newHome();
  const daemon = new RunDaemonProcess(file, home, { fdsMax: 24 });
  const ids = Array.from({ length: 20 }, (_, index) => `web.1.${index}`);
  for (const id of ids) daemon.start(specOf(home, id, { argv: ["sleep", "1000"] }));

  const reports = await Promise.all(
    ids.map((id) => Promise.race([daemon.report("failed", id), daemon.report("started", id)])),
  );

  const failed = reports.filter((report) => report.type === "failed");
  expect(failed.length).toBeGreaterThan(0);
  for (const report of failed) expect(report).toMatchObject({ code: "EMFILE", isOwnTrouble: true });
  const specs = readdirSync(home.runs).filter((name) => name.endsWith(".spec"));
  expect(specs.length).toBe(ids.length - failed.length);
});

test("an exit status for which there is no room is told all the same", async () => {
  const { home, runs, end } = openTestRuns(newHome());
  await runs.start(shellSpec(home, "web.1.1", `until [ -e ${home.root}/go ]; do sleep 0.02; done; exit 7`));
  mkdirSync(join(home.runs, "web.1.1.exit"));

  writeFileSync(join(home.root, "go"), "");

  expect(await end("web.1.1")).toMatchObject({ code: 7, signal: null });
  rmdirSync(join(home.runs, "web.1.1.exit"));
});

test("a start that the disk does not take leaves no file behind", async () => {
  const { home, runs } = openTestRuns(newHome());
  mkdirSync(join(home.runs, "web.1.1.spec"));
  await expect(runs.start(shellSpec(home, "web.1.1", "true"))).rejects.toThrow(/sh could not be started/);

  expect(readdirSync(home.runs).filter((name) => name.endsWith(".draft"))).toEqual([]);
});
