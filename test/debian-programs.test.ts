/**
 * Programs that people run, as commands: they become ready, are killed, are stopped, and leave nothing behind.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  command,
  commandCarrier,
  isDown,
  Kernel,
  nodePlatform,
  type CommandLine,
  type DownMessage,
  type OutputMessage,
  type Pid,
  type Process,
  type Ref,
  type SpawnOptions,
} from "colos";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { groupMembers } from "../src/os/process-sample.ts";
import { needsLinux, needsProgram } from "./debian.ts";
import { turn } from "./system/turn.ts";

const folder = mkdtempSync(join(tmpdir(), "colos-programs-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Run {
  readonly listener: Process<unknown>;
  readonly pid: Pid<unknown>;
  readonly ref: Ref;
  readonly group: number;
}

async function start(line: CommandLine, options: SpawnOptions = {}): Promise<Run> {
  const kernel = new Kernel(nodePlatform(), { carriers: new Map([["command", commandCarrier()]]) });
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
    await reasonOf({ listener, ref: listener.monitor(pid) });
    kernel.close();
  });
  return { listener, pid, ref: listener.monitor(pid), group };
}

async function reasonOf({ listener, ref }: Pick<Run, "listener" | "ref">): Promise<unknown> {
  return ((await listener.receive((message) => isDown(message, ref))) as DownMessage).reason;
}

/** All output up to the down message; what comes after that would be lost. */
async function outputOf({ listener, ref }: Run): Promise<{ readonly text: string; readonly reason: unknown }> {
  let text = "";
  for (;;) {
    const message = (await listener.receive()) as OutputMessage | DownMessage;
    if (isDown(message, ref)) return { text, reason: message.reason };
    if (message.type === "output") text += Buffer.from(message.data).toString();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** How long to wait before knocking at a port again, in milliseconds. */
const knockMs = 10;

/** Sends `question` as soon as the port answers, and gives what comes back. */
function ask(port: number, question: string): Promise<string> {
  return new Promise((resolve) => {
    const knock = (): void => {
      const socket = connect(port, "127.0.0.1", () => void socket.write(question));
      socket.once("error", () => void setTimeout(knock, knockMs));
      socket.once("data", (answer) => {
        resolve(answer.toString());
        socket.destroy();
      });
    };
    knock();
  });
}

const redis = needsProgram("redis-server", "redis-server");

redis.describe("redis-server as a command", () => {
  const startRedis = async (): Promise<Run & { readonly port: number }> => {
    const port = await freePort();
    const line = command(redis.path, "--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder);
    const started = await start(line);
    expect(await ask(port, "PING\r\n")).toBe("+PONG\r\n");
    return { ...started, port };
  };

  test("killed from outside, ends with that signal", async () => {
    const started = await startRedis();

    process.kill(started.group, "SIGKILL");

    expect(await reasonOf(started)).toEqual({ tag: "signal", name: "SIGKILL" });
    expect(groupMembers(started.group)).toEqual([]);
  });

  test("stopped, says goodbye before its end is known", async () => {
    const started = await startRedis();

    started.listener.exit(started.pid, "shutdown");

    const { text, reason } = await outputOf(started);
    expect(reason).toBe("shutdown");
    expect(text).toContain("bye bye...");
    expect(groupMembers(started.group)).toEqual([]);
  });
});

const nginx = needsProgram("nginx", "nginx");

nginx.describe("nginx as a command", () => {
  const workersCount = 2;
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder};`);

  const startNginx = async (port: number, options: SpawnOptions = {}): Promise<Run> => {
    const config = join(folder, `nginx-${port}.conf`);
    writeFileSync(
      config,
      `daemon off; worker_processes ${workersCount}; error_log stderr; pid nginx-${port}.pid; events {}
      http { access_log off; ${temporary.join(" ")} server { listen 127.0.0.1:${port}; return 200 "served\\n"; } }`,
    );
    const started = await start(command(nginx.path, "-p", folder, "-e", "stderr", "-c", config), options);
    expect(await ask(port, "GET / HTTP/1.0\r\n\r\n")).toContain("200 OK");
    return started;
  };

  needsLinux().test("runs its workers in its own group", async () => {
    const { group } = await startNginx(await freePort());

    // One of them answers before all of them are there.
    while (groupMembers(group).length < 1 + workersCount) await turn();
    expect(groupMembers(group)).toHaveLength(1 + workersCount);
  });

  test("whose master is killed takes its workers along, so that the next one gets the port", async () => {
    const port = await freePort();
    const started = await startNginx(port);

    process.kill(started.group, "SIGKILL");

    expect(await reasonOf(started)).toEqual({ tag: "signal", name: "SIGKILL" });
    expect(groupMembers(started.group)).toEqual([]);
    await startNginx(port);
  });

  test.each(["SIGTERM", "SIGQUIT"])("stopped with %s, leaves no worker", async (stopSignal) => {
    const started = await startNginx(await freePort(), { stopSignal });

    started.listener.exit(started.pid, "shutdown");

    expect(await reasonOf(started)).toBe("shutdown");
    expect(groupMembers(started.group)).toEqual([]);
  });

  test("killed, leaves no worker", async () => {
    const started = await startNginx(await freePort());

    started.listener.exit(started.pid, "kill");

    expect(await reasonOf(started)).toBe("killed");
    expect(groupMembers(started.group)).toEqual([]);
  });
});

describe("a flood of output", () => {
  const floodBytes = 200 * 1024 * 1024;
  /** What Node may leave to its collector, in bytes; the flood is several times as much. */
  const growthMaxBytes = 80 * 1024 * 1024;
  const flood = command("sh", "-c", `yes 'a line of some length, again and again' | head -c ${floodBytes}`);
  const held = (): number => process.memoryUsage().arrayBuffers;

  test("to a function is drained with flat memory", async () => {
    const before = held();
    let countBytes = 0;
    let peakBytes = 0;
    const started = await start(flood, {
      output: (_, data) => {
        countBytes += data.length;
        peakBytes = Math.max(peakBytes, held());
      },
    });

    expect(await reasonOf(started)).toBe("normal");
    expect(countBytes).toBe(floodBytes);
    expect(peakBytes - before).toBeLessThan(growthMaxBytes);
  });

  test("to a process that reads is drained with flat memory", async () => {
    const before = held();
    const started = await start(flood);

    let countBytes = 0;
    let peakBytes = 0;
    for (;;) {
      const message = (await started.listener.receive()) as OutputMessage | DownMessage;
      if (message.type === "down") break;
      countBytes += message.data.length;
      peakBytes = Math.max(peakBytes, held());
    }

    expect(countBytes).toBe(floodBytes);
    expect(peakBytes - before).toBeLessThan(growthMaxBytes);
  });
});
