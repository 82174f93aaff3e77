import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { Kernel } from "../kernel/kernel.ts";
import { MailboxFullError } from "../kernel/mailbox.ts";
import { endOfInput, isDown, type DownMessage } from "../kernel/message.ts";
import type { Pid, Ref } from "../kernel/pid.ts";
import type { Process, SpawnOptions } from "../kernel/process.ts";
import { command, type CommandLine, type HostOptions } from "../kernel/program.ts";
import { UncopyableError } from "../kernel/wire.ts";
import { needsLinux, needsProgram } from "../../test/debian.ts";
import { groupMembers } from "../os/process-sample.ts";
import { nodePlatform } from "../platforms/node/node-platform.ts";
import { commandCarrier } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "colos-command-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Run {
  readonly kernel: Kernel;
  readonly listener: Process<unknown>;
  readonly pid: Pid<unknown>;
  readonly ref: Ref;
  /** The OS process id, which is the group's too. */
  readonly group: number;
}

function newKernel(): Kernel {
  const kernel = new Kernel(nodePlatform({ writeLine: () => {} }), {
    carriers: new Map([["command", commandCarrier()]]),
  });
  onTestFinished(() => kernel.close());
  return kernel;
}

/** Spawns, monitors, and gives the run once the OS process exists. Its output goes to the listener. */
async function run(line: CommandLine, options: SpawnOptions = {}): Promise<Run> {
  const kernel = newKernel();
  const listener = kernel.attach<unknown>();
  let group = 0;
  const pid = await listener.start<unknown, readonly unknown[]>(line as never, {
    output: listener.pid,
    ...options,
    link: false,
    onOsPid: (osPid) => {
      group = osPid;
    },
  });
  onTestFinished(async () => {
    listener.exit(pid, "kill");
    await down({ listener, ref: listener.monitor(pid) });
  });
  return { kernel, listener, pid, ref: listener.monitor(pid), group };
}

const shell = (script: string, options?: SpawnOptions): Promise<Run> => run(command("sh", "-c", script), options);
const node = (script: string, options?: SpawnOptions): Promise<Run> =>
  run(command(process.execPath, "-e", script), options);

async function down({ listener, ref }: Pick<Run, "listener" | "ref">): Promise<unknown> {
  return ((await listener.receive((message) => isDown(message, ref))) as DownMessage).reason;
}

interface Said {
  readonly stdout: string;
  readonly stderr: string;
}

/** Output until `isEnough`, or until it ends. */
async function saidUntil({ listener, ref }: Run, isEnough: (said: Said) => boolean): Promise<Said> {
  const said = { stdout: "", stderr: "" };
  while (!isEnough(said)) {
    const message = (await listener.receive((message) => isOutput(message) || isDown(message, ref))) as
      | Output
      | DownMessage;
    if (message.type === "down") {
      listener.send(listener.pid as Pid<unknown>, message);
      return said;
    }
    said[message.stream] += Buffer.from(message.data).toString();
  }
  return said;
}

const saidInAll = (started: Run): Promise<Said> => saidUntil(started, () => false);
const saidLine = async (started: Run): Promise<string> =>
  (await saidUntil(started, ({ stdout }) => stdout.endsWith("\n"))).stdout.trimEnd();

type Output = { readonly type: "output"; readonly stream: "stdout" | "stderr"; readonly data: Uint8Array };

function isOutput(message: unknown): message is Output {
  return (message as { type?: unknown } | null)?.type === "output";
}

describe("a command's output", () => {
  test("comes by stream, as bytes", async () => {
    const started = await shell("printf 'a\\377'; printf b >&2");

    const pieces: Output[] = [];
    for (
      let message = await started.listener.receive();
      isOutput(message);
      message = await started.listener.receive()
    ) {
      pieces.push(message);
    }

    const bytes = (stream: string): number[] =>
      pieces.filter((piece) => piece.stream === stream).flatMap(({ data }) => [...data]);
    expect(bytes("stdout")).toEqual([0x61, 0xff]);
    expect(bytes("stderr")).toEqual([0x62]);
    expect(Object.getPrototypeOf(pieces[0]?.data)).toBe(Uint8Array.prototype);
  });

  test("is complete when the end is told, for many at once", async () => {
    const countBytes = 150_000;
    const all = await Promise.all(
      Array.from({ length: 30 }, () => run(command("head", "-c", String(countBytes), "/dev/zero"))),
    );

    const said = await Promise.all(all.map(saidInAll));

    expect(said.map(({ stdout }) => stdout.length)).toEqual(said.map(() => countBytes));
  });

  test("goes to a function", async () => {
    const pieces: string[] = [];
    const started = await shell("printf out; printf err >&2", {
      output: (stream, data) => void pieces.push(`${stream} ${Buffer.from(data).toString()}`),
    });

    await down(started);

    expect(pieces.toSorted()).toEqual(["stderr err", "stdout out"]);
  });

  test("is ignored by default, and does not block", async () => {
    const started = await shell("head -c 1000000 /dev/zero; exit 5", { output: "ignore" });

    expect(await down(started)).toEqual({ tag: "exitStatus", code: 5 });
  });

  test("to a function that throws ends the command with that error", async () => {
    const error = new Error("disk full");
    const started = await shell("echo; exec sleep 1000", {
      output: () => {
        throw error;
      },
    });

    expect(await down(started)).toBe(error);
    expect(groupMembers(started.group)).toEqual([]);
  });

  test("to a process that has ended disturbs nobody", async () => {
    const kernel = newKernel();
    const listener = kernel.attach<unknown>();
    const gone = listener.spawnMonitor(() => {});
    await down({ listener, ref: gone.ref });

    const { ref } = listener.spawnMonitor(command("sh", "-c", "echo; exit 4"), { output: gone.pid });

    expect(await down({ listener, ref })).toEqual({ tag: "exitStatus", code: 4 });
  });

  needsProgram("setsid", "util-linux").test(
    "written just before the end arrives, though a program outside the group keeps the pipe open",
    async () => {
      const started = await shell("setsid sleep 1000 & echo $!");
      const escaped = Number((await saidInAll(started)).stdout);
      const reason = await down(started);
      process.kill(escaped, "SIGKILL");

      expect(escaped).toBeGreaterThan(1);
      expect(reason).toBe("normal");
    },
  );
});

describe("a command's input", () => {
  test("takes strings and bytes in order, and ends with endOfInput", async () => {
    const started = await run(command("cat"));

    started.listener.send(started.pid, "Zürich ");
    started.listener.send(started.pid, new Uint8Array([0x41, 0x0a]));
    started.listener.send(started.pid, endOfInput);

    expect((await saidInAll(started)).stdout).toBe("Zürich A\n");
    expect(await down(started)).toBe("normal");
  });

  test("is complete, however slowly it is read", async () => {
    const countBytes = 8 * 1024 * 1024;
    const started = await node(
      "let n = 0; process.stdin.on('data', (d) => n += d.length).on('end', () => console.log(n))",
    );

    for (let sent = 0; sent < countBytes; sent += 65_536) started.listener.send(started.pid, new Uint8Array(65_536));
    started.listener.send(started.pid, endOfInput);

    expect(await saidLine(started)).toBe(String(countBytes));
  });

  test("that nobody reads ends the command when it has grown to its limit", async () => {
    const started = await run(command("sleep", "1000"), { mailbox: { bytesMax: 1_000_000 } });

    for (let count = 0; count < 40; count += 1) started.listener.send(started.pid, new Uint8Array(100_000));

    expect(await down(started)).toEqual({ tag: "mailboxFull", bytesMax: 1_000_000 });
    expect(groupMembers(started.group)).toEqual([]);
  });

  test("that nobody reads fails the sender where the policy says so", async () => {
    const started = await run(command("sleep", "1000"), { mailbox: { bytesMax: 1_000_000, policy: "failSender" } });
    const flood = (): void => {
      for (let count = 0; count < 40; count += 1) started.listener.send(started.pid, new Uint8Array(100_000));
    };

    expect(flood).toThrow(MailboxFullError);
    expect(started.kernel.info(started.pid)?.messagesCount).toBeGreaterThan(0);
  });

  test("that is read slowly holds the sender where the policy says so, and none of it is lost", async () => {
    const bytesMax = 1_000_000;
    const countBytes = 32 * 2 ** 20;
    const script = "let n = 0; process.stdin.on('data', (d) => n += d.length).on('end', () => console.log(n))";
    const started = await node(script, { mailbox: { bytesMax, policy: "block" } });
    const chunk = new Uint8Array(2 ** 16);
    let waitingMax = 0;

    for (let sent = 0; sent < countBytes; sent += chunk.length) {
      started.listener.send(started.pid, chunk);
      waitingMax = Math.max(waitingMax, started.kernel.info(started.pid)?.messagesCount ?? 0);
      await started.listener.yield();
    }
    started.listener.send(started.pid, endOfInput);

    expect(await saidLine(started)).toBe(String(countBytes));
    expect(waitingMax).toBeLessThanOrEqual(bytesMax / chunk.length + 1);
    expect(waitingMax).toBeGreaterThan(bytesMax / chunk.length - 2);
  });

  test("that the command has closed is no error", async () => {
    const started = await shell("exec 0<&-; echo closed; exec sleep 1000");
    await saidLine(started);

    for (let count = 0; count < 100; count += 1) started.listener.send(started.pid, "anybody?\n");
    started.listener.exit(started.pid, "shutdown");

    expect(await down(started)).toBe("shutdown");
  });

  test("after its end is dropped", async () => {
    const started = await run(command("cat"));

    for (const message of ["a", endOfInput, "b", endOfInput]) started.listener.send<unknown>(started.pid, message);

    expect((await saidInAll(started)).stdout).toBe("a");
  });

  test.each([[1], [{ text: "a" }], [["a"]], [null], [undefined], [new Date(0)]])(
    "refuses %j in the sender",
    async (value) => {
      const { listener, pid } = await run(command("cat"));

      expect(() => listener.send<unknown>(pid, value)).toThrow(UncopyableError);
      expect(() => listener.send<unknown>(pid, value)).toThrow("a command takes strings, Uint8Array and endOfInput");
    },
  );

  test("refuses a request", async () => {
    const { listener, pid } = await run(command("cat"));

    await expect(listener.request(pid, "a")).rejects.toThrow(UncopyableError);
  });

  test("that is colos's own takes no messages", async () => {
    const { listener, pid } = await run(command("sleep", "1000"), { stdin: "inherit" });

    expect(() => listener.send(pid, "a")).toThrow(UncopyableError);
  });
});

describe("an ordered stop", () => {
  test("lets the program finish, and hears its last words", async () => {
    const started = await shell("trap 'echo goodbye; exit 9' TERM; echo up; while :; do sleep 0.05; done");
    await saidLine(started);

    started.listener.exit(started.pid, { tag: "upgrade" });

    expect((await saidInAll(started)).stdout).toBe("goodbye\n");
    expect(await down(started)).toEqual({ tag: "upgrade" });
    expect(groupMembers(started.group)).toEqual([]);
  });

  test("sends the signal that the spawn names", async () => {
    const started = await shell(
      "trap 'echo interrupted; exit' INT; trap '' TERM; echo up; while :; do sleep 0.05; done",
      {
        stopSignal: "SIGINT",
      },
    );
    await saidLine(started);

    started.listener.exit(started.pid, "shutdown");

    expect((await saidInAll(started)).stdout).toBe("interrupted\n");
  });

  test("reaches a suspended program", async () => {
    const started = await shell("echo up; kill -STOP $$; exec sleep 1000");
    await saidLine(started);

    started.listener.exit(started.pid, "shutdown");

    expect(await down(started)).toBe("shutdown");
  });

  test("gives the others in the group time to follow", async () => {
    const child = "trap 'echo saved; exit' TERM; echo up; while :; do sleep 0.05; done";
    const started = await shell(`(${child}) & wait`);
    await saidLine(started);

    started.listener.exit(started.pid, "shutdown");

    expect((await saidInAll(started)).stdout).toBe("saved\n");
    expect(await down(started)).toBe("shutdown");
  });

  test("does not wait for ever for others that ignore it", async () => {
    const started = await shell("(trap '' TERM; echo up; while :; do sleep 1000; done) & wait");
    await saidLine(started);

    started.listener.exit(started.pid, "shutdown");

    expect(await down(started)).toBe("shutdown");
    expect(groupMembers(started.group)).toEqual([]);
  }, 20_000);

  test("that the program ignores ends with kill", async () => {
    const started = await shell("trap 'echo ignored' TERM; echo up; while :; do sleep 0.05; done");
    await saidLine(started);

    started.listener.exit(started.pid, "shutdown");
    await saidLine(started);
    started.listener.exit(started.pid, "kill");

    expect(await down(started)).toBe("killed");
    expect(groupMembers(started.group)).toEqual([]);
  });
});

needsLinux().describe("a command's process group", () => {
  test("is gone after kill, all of it", async () => {
    const started = await shell("trap '' TERM; for i in 1 2 3; do sleep 1000 & done; echo up; wait");
    await saidLine(started);
    const before = groupMembers(started.group).length;

    started.listener.exit(started.pid, "kill");

    expect(await down(started)).toBe("killed");
    expect(before).toBe(4);
    expect(groupMembers(started.group)).toEqual([]);
  });

  test("is stopped in order when its leader has ended by itself", async () => {
    const child = "trap 'echo saved; exit' TERM; echo up; while :; do sleep 0.05; done";
    const started = await shell(`(${child}) & read go; exit 6`);
    await saidLine(started);

    started.listener.send(started.pid, "go\n");

    expect((await saidInAll(started)).stdout).toBe("saved\n");
    expect(await down(started)).toEqual({ tag: "exitStatus", code: 6 });
    expect(groupMembers(started.group)).toEqual([]);
  });

  test("is gone even when it ignores that", async () => {
    const started = await shell("trap '' TERM; sleep 1000 & exit 6");

    expect(await down(started)).toEqual({ tag: "exitStatus", code: 6 });
    expect(groupMembers(started.group)).toEqual([]);
  }, 20_000);

  test("is not colos's own", async () => {
    const started = await shell("echo $$; exec sleep 1000");

    expect(await saidLine(started)).toBe(String(started.group));
    expect(groupMembers(started.group)).toEqual([started.group]);
  });
});

describe("a command's surroundings", () => {
  test("are colos's environment with what is added and without what is null", async () => {
    process.env["COLOS_TEST_KEPT"] = "kept";
    process.env["COLOS_TEST_REMOVED"] = "removed";
    onTestFinished(() => {
      delete process.env["COLOS_TEST_KEPT"];
      delete process.env["COLOS_TEST_REMOVED"];
    });

    const started = await shell("echo $COLOS_TEST_KEPT $COLOS_TEST_ADDED ${COLOS_TEST_REMOVED-absent}", {
      env: { COLOS_TEST_ADDED: "added", COLOS_TEST_REMOVED: null },
    });

    expect(await saidLine(started)).toBe("kept added absent");
  });

  test("are the working directory it was given", async () => {
    expect(await saidLine(await run(command("pwd", "-P"), { cwd: "/" }))).toBe("/");
  });

  test("keep arguments as they are, without a shell", async () => {
    const started = await run(command("printf", "%s\n", "$HOME `id` ; *"));

    expect(await saidLine(started)).toBe("$HOME `id` ; *");
  });

  test("include listening sockets, announced as systemd does", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
    const script = `
      if (process.env.LISTEN_PID !== String(process.pid) || process.env.LISTEN_FDS !== "1") process.exit(3);
      require("node:net").createServer((socket) => socket.end("from the command")).listen({ fd: 3 }, () => console.log("up"));`;
    const started = await node(script, { listenFds: [fd] });
    await saidLine(started);
    server.close();

    const answer = await new Promise<string>((resolve, reject) => {
      connect(port, "127.0.0.1")
        .once("data", (data) => resolve(data.toString()))
        .once("error", reject);
    });

    expect(answer).toBe("from the command");
  });
});

describe("a command that cannot start", () => {
  const plainFile = join(folder, "plain");
  const orphanScript = join(folder, "orphan-script");
  writeFileSync(plainFile, "");
  writeFileSync(orphanScript, "#!/no/such/interpreter\n");
  chmodSync(orphanScript, 0o755);
  const listenFds = [0];

  const refusals: readonly [line: CommandLine, options: HostOptions, code: string, sentence: string][] = [
    [command("redis-servr"), {}, "ENOENT", "redis-servr was not found on PATH"],
    [command("redis-servr"), { listenFds }, "ENOENT", "redis-servr was not found on PATH"],
    [command("/no/such/file"), {}, "ENOENT", "/no/such/file does not exist"],
    [command("/no/such/file"), { listenFds }, "ENOENT", "/no/such/file does not exist"],
    [command(orphanScript), {}, "ENOENT", `${orphanScript} names an interpreter that does not exist`],
    [command(`${plainFile}/a`), {}, "ENOTDIR", `${plainFile}/a does not exist: a part of its path is not a folder`],
    [command(folder), {}, "EACCES", `${folder} may not be executed: it is a folder, or lacks the permission`],
    [command(plainFile), {}, "EACCES", `${plainFile} may not be executed: it is a folder, or lacks the permission`],
    [
      command(plainFile),
      { listenFds },
      "EACCES",
      `${plainFile} may not be executed: it is a folder, or lacks the permission`,
    ],
    [command("true"), { cwd: "/no/such" }, "ENOENT", "the working directory /no/such does not exist"],
    [command("true"), { cwd: plainFile }, "ENOTDIR", `the working directory ${plainFile} is not a folder`],
    [
      command("true", "a".repeat(4_000_000)),
      {},
      "E2BIG",
      "true was given more arguments or environment than the OS takes (1 arguments)",
    ],
  ];

  test.each(refusals)("says why: %j %j gives %s", async ({ file, args }, options, code, sentence) => {
    const listener = newKernel().attach<unknown>();
    const line = command(file, ...args);

    await expect(listener.start(line, { ...options, link: false })).rejects.toMatchObject({ reason: { code } });
    const { ref } = listener.spawnMonitor(line, options);

    expect(await down({ listener, ref })).toMatchObject({ code, message: sentence });
  });

  test("passes on what Node refuses", async () => {
    const listener = newKernel().attach<unknown>();
    const { ref } = listener.spawnMonitor(command("true", "a\0b"));

    expect(await down({ listener, ref })).toMatchObject({
      message: expect.stringContaining("true could not be started"),
    });
  });
});

describe("the command carrier", () => {
  const wrong: readonly [what: string, options: SpawnOptions, error: RegExp][] = [
    ["arguments in the options", { args: ["a"] }, /stand in command/],
    ["arguments that are no list", { args: "a" as never }, /^the args of true are a list, not "a"$/],
    ["a relative working directory", { cwd: "here" }, /^the cwd of true is an absolute path, not "here"$/],
    ["a working directory that is none", { cwd: 5 as never }, /^the cwd of true is an absolute path, not 5$/],
    ["an environment of numbers", { env: { A: 5 } as never }, /^the env of true is an object of strings/],
    [
      "an output that is none",
      { output: "self" as never },
      /^the output of true is a pid, a function, .*, not "self"$/,
    ],
    ["a file descriptor that is in no list", { listenFds: 3 as never }, /^the listenFds of true is a list/],
    ["a standard input that there is not", { stdin: "none" as never }, /^the stdin of true is "pipe" or "inherit"/],
    ["a listener that is none", { onOsPid: 5 as never }, /^the onOsPid of true is a function, not 5$/],
    ["a stop signal that there is not", { stopSignal: "SIGTREM" }, /not an OS signal: SIGTREM/],
  ];

  test.each(wrong)("refuses %s", (_, options, error) => {
    const kernel = newKernel();

    expect(() => kernel.spawn<unknown, readonly unknown[]>(command("true") as never, options)).toThrow(error);
    expect(kernel.processesCount).toBe(1);
  });

  test("refuses a function", () => {
    expect(() => newKernel().spawn(() => {}, { carrier: "command" })).toThrow(/runs executables/);
  });
});
