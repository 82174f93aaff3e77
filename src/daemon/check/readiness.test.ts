/** Readiness: real sockets and OS processes; a passing check is brought about by what the test does, never by time. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { ReadyPlan } from "../../control/config.ts";
import { groupMembers } from "../../os/process-sample.ts";
import { needsLinux, needsProgram } from "../../../test/debian.ts";
import { isSelfConnection } from "./probe.ts";
import { awaitReady, NotReadyError, type ReadySubject } from "./readiness.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

/** Long enough never to be reached. */
const timeoutMs = 60_000;
const never = new AbortController().signal;

interface Subject extends ReadySubject {
  write(line: string): void;
  readonly listenersCount: number;
}

function subject(cwd = tmpdir()): Subject {
  const listeners = new Set<(text: string) => void>();
  return {
    env: { PATH: process.env["PATH"], WORD: "from the environment" },
    cwd,
    onLine(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    write(line) {
      for (const listener of listeners) listener(line);
    },
    get listenersCount() {
      return listeners.size;
    },
  };
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "colos-ready-"));
  cleanUps.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, "127.0.0.1");
  cleanUps.push(() => new Promise((resolve) => server.close(resolve)));
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  server.close();
  await once(server, "close");
  return port;
}

/** Takes the host's timers away; what it returns lets the time of the check be over. */
function deadline(): () => void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  cleanUps.push(() => vi.useRealTimers());
  return () => vi.advanceTimersByTime(timeoutMs);
}

async function failure(promise: Promise<void>): Promise<string> {
  const error: unknown = await promise.then(
    () => new Error("was ready"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(NotReadyError);
  return (error as Error).message;
}

describe("readiness: none", () => {
  test("a service without a check is ready at once, unless it is aborted already", async () => {
    await awaitReady({ kind: "none" }, subject(), never);

    await expect(awaitReady({ kind: "none" }, subject(), AbortSignal.abort("stopped"))).rejects.toBe("stopped");
  });
});

describe("readiness: port", () => {
  test("it is ready once the port accepts a connection", async () => {
    const port = await freePort();

    const ready = awaitReady({ kind: "port", port, host: "127.0.0.1", timeoutMs }, subject(), never);
    const server = createServer((socket) => socket.destroy());
    await listen(server, port);

    await ready;
  });

  test("the error is a sentence with the last cause", async () => {
    const port = await freePort();

    const message = await failure(
      awaitReady({ kind: "port", port, host: "127.0.0.1", timeoutMs: 200 }, subject(), never),
    );

    expect(message).toBe(`port ${port} on 127.0.0.1 did not accept a connection within 200 ms (last: ECONNREFUSED)`);
  });

  test("a name with several addresses fails with one cause", async () => {
    const port = await freePort();

    const message = await failure(
      awaitReady({ kind: "port", port, host: "localhost", timeoutMs: 200 }, subject(), never),
    );

    expect(message).toMatch(/on localhost did not .* \(last: ECONNREFUSED\)$/);
  });

  test("a time over the host's limit for timers is not over at once", async () => {
    const port = await listen(createServer((socket) => socket.destroy()));

    await awaitReady({ kind: "port", port, host: "127.0.0.1", timeoutMs: 2 ** 40 }, subject(), never);
  });

  needsLinux().test("a connection of a port to itself is recognised", async () => {
    const port = await freePort();
    const socket = connect({ port, localPort: port, host: "127.0.0.1", localAddress: "127.0.0.1" });
    await once(socket, "connect");

    expect(isSelfConnection(socket)).toBe(true);
    socket.destroy();
    await once(socket, "close");
  });

  test("a real connection is not taken for one to itself", async () => {
    const port = await listen(createServer((accepted) => accepted.destroy()));
    const socket = connect({ port, host: "127.0.0.1" });
    await once(socket, "connect");

    expect(isSelfConnection(socket)).toBe(false);
    socket.destroy();
  });
});

describe("readiness: http", () => {
  async function serve(answer: RequestListener): Promise<string> {
    return `http://127.0.0.1:${await listen(createHttpServer(answer))}/health?deep=1`;
  }

  test("it is ready once the answer's status is from 200 to 399; redirects are not followed", async () => {
    const asked: string[] = [];
    const statuses = [503, 404, 302];
    const url = await serve((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.connection}`);
      response.writeHead(statuses.shift()!, { location: "/elsewhere" }).end();
    });

    await awaitReady({ kind: "http", url, timeoutMs }, subject(), never);

    expect(asked).toEqual(Array.from({ length: 3 }, () => "GET /health?deep=1 close"));
  });

  test("an endless body does not matter, the head is the answer", async () => {
    const url = await serve((_, response) => void response.writeHead(200).write("and then"));

    await awaitReady({ kind: "http", url, timeoutMs }, subject(), never);
  });

  test("the error is a sentence with the last status", async () => {
    const late = deadline();
    let asked = 0;
    const url = await serve((_, response) => {
      response.writeHead(500).end();
      if (++asked === 2) late();
    });

    const message = await failure(awaitReady({ kind: "http", url, timeoutMs }, subject(), never));

    expect(message).toBe(
      `GET ${url} was not answered with a status from 200 to 399 within 60000 ms (last: status 500)`,
    );
  });

  test("nobody there, and somebody who closes without an answer, are named", async () => {
    const port = await freePort();
    const nobody = await failure(
      awaitReady({ kind: "http", url: `http://127.0.0.1:${port}`, timeoutMs: 200 }, subject(), never),
    );
    const late = deadline();
    let asked = 0;
    const silent = await serve((request) => {
      request.socket.destroy();
      if (++asked === 2) late();
    });

    expect(nobody).toContain("(last: ECONNREFUSED)");
    expect(await failure(awaitReady({ kind: "http", url: silent, timeoutMs }, subject(), never))).toContain(
      "(last: ECONNRESET)",
    );
  });

  test("abort ends a request that is under way", async () => {
    const abort = new AbortController();
    let connectionClosed: Promise<unknown> | undefined;
    const url = await serve((request) => {
      connectionClosed = once(request.socket, "close");
      abort.abort(new Error("stopped"));
    });

    await expect(awaitReady({ kind: "http", url, timeoutMs }, subject(), abort.signal)).rejects.toThrow("stopped");

    await connectionClosed;
  });

  test("what is no URL of this kind fails at once", async () => {
    expect(await failure(awaitReady({ kind: "http", url: "ftp://x", timeoutMs }, subject(), never))).toBe(
      "the readiness check ftp://x is not an http or https URL",
    );
  });
});

describe("readiness: log", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["a text anywhere in the line", "listening on", "[12:00] listening on 8080"],
    ["an expression", "/listening on \\d+$/", "listening on 8080"],
    ["an expression with flags, also those that count", "/LISTENING/gi", "now listening"],
    ["a text between colour codes", "listening on 8080", "\u001B[32mlistening\u001B[39m on \u001B[1m8080\u001B[0m"],
    ["a path, which is no expression", "/var/log", "writing to /var/log"],
  ];
  for (const [what, pattern, line] of cases) {
    test(`${what} makes it ready`, async () => {
      const service = subject();

      const ready = awaitReady({ kind: "log", pattern, timeoutMs }, service, never);
      service.write("starting");
      service.write(line);
      await ready;

      expect(service.listenersCount).toBe(0);
    });
  }

  test("a line that is written while we subscribe counts", async () => {
    const service = subject();
    const replaying: ReadySubject = {
      ...service,
      onLine(listener) {
        const leave = service.onLine!(listener);
        listener("ready");
        return leave;
      },
    };

    await awaitReady({ kind: "log", pattern: "ready", timeoutMs }, replaying, never);

    expect(service.listenersCount).toBe(0);
  });

  test("the error quotes the last line, or says that there was none", async () => {
    const service = subject();
    const silent = await failure(awaitReady({ kind: "log", pattern: "ready", timeoutMs: 20 }, service, never));
    const talking = awaitReady({ kind: "log", pattern: "/re.dy/", timeoutMs: 20 }, service, never);
    service.write("\u001B[31mno database\u001B[0m");

    expect(silent).toBe(`no line of the log contained "ready" within 20 ms (last: nothing was written)`);
    expect(await failure(talking)).toBe(`no line of the log matched /re.dy/ within 20 ms (last: "no database")`);
    expect(service.listenersCount).toBe(0);
  });

  test("abort leaves the log", async () => {
    const service = subject();
    const abort = new AbortController();

    const ready = awaitReady({ kind: "log", pattern: "ready", timeoutMs }, service, abort.signal);
    abort.abort(new Error("stopped"));

    await expect(ready).rejects.toThrow("stopped");
    expect(service.listenersCount).toBe(0);
  });

  test("where somebody else reads the lines, they say it", async () => {
    const { onLine: _, ...elsewhere } = subject();
    let say = (): void => {};
    const signalled = new Promise<void>((resolve) => (say = resolve));
    const late = awaitReady({ kind: "log", pattern: "/re.dy/", timeoutMs: 20 }, { ...elsewhere, signalled }, never);
    expect(await failure(late)).toBe("no line of the log matched /re.dy/ within 20 ms");

    const ready = awaitReady({ kind: "log", pattern: "ready", timeoutMs }, { ...elsewhere, signalled }, never);
    say();
    await ready;
  });

  test("a broken expression fails at once", async () => {
    expect(await failure(awaitReady({ kind: "log", pattern: "/(/", timeoutMs }, subject(), never))).toMatch(
      /^the readiness check \/\(\/ is not a regular expression: Invalid regular expression/,
    );
  });
});

describe("readiness: exec", () => {
  test.each(["sh: 1: Cannot fork", "bash: fork: retry: Resource temporarily unavailable", "Too many open files"])(
    "a command that says %s has not looked at the service",
    async (said) => {
      const command = sh(`echo '${said}' >&2; exit 2`);
      const error = await awaitReady({ kind: "exec", command, timeoutMs: 300 }, subject(), never).catch(
        (refused: unknown) => refused,
      );
      expect(error).toMatchObject({ isOwnTrouble: true });
    },
  );

  const sh = (script: string, ...args: string[]): readonly [string, ...string[]] => ["/bin/sh", "-c", script, ...args];

  test("it is ready once the command exits with 0, in the service's folder and environment", async () => {
    const folder = temporaryFolder();

    // Each try leaves a mark; the third passes.
    const command = sh(`echo "$WORD" >> tries; [ "$(wc -l < tries)" -ge 3 ]`);
    await awaitReady({ kind: "exec", command, timeoutMs }, subject(folder), never);

    expect(readFileSync(join(folder, "tries"), "utf8")).toBe("from the environment\n".repeat(3));
  });

  test("the error names the command, its exit code and its last words", async () => {
    const late = deadline();
    const folder = temporaryFolder();
    const watcher = watch(folder, () => existsSync(join(folder, "second")) && late());
    cleanUps.push(() => watcher.close());
    // The second try hangs, so that the time is over while the first one's end is the last thing known.
    const command = sh(
      `[ -e first ] && : > second && exec sleep 1000; : > first; echo a >&2; echo 'no response' >&2; exit 3`,
      "check",
    );

    const message = await failure(awaitReady({ kind: "exec", command, timeoutMs }, subject(folder), never));

    expect(message).toMatch(
      /^the command \/bin\/sh -c .* check did not exit with 0 within 60000 ms \(last: exit code 3: no response\)$/,
    );
  });

  test("a command that cannot be started fails at once", async () => {
    const message = await failure(
      awaitReady({ kind: "exec", command: ["not-a-command"], timeoutMs }, subject(), never),
    );

    expect(message).toBe(`the readiness command not-a-command cannot be started in ${tmpdir()}: ENOENT`);
  });

  test("the time ends a command that hangs", async () => {
    const message = await failure(
      awaitReady({ kind: "exec", command: ["sleep", "1000"], timeoutMs: 50 }, subject(), never),
    );

    expect(message).toBe("the command sleep 1000 did not exit with 0 within 50 ms (last: it was still running)");
  });

  needsLinux().test("abort kills the command and everything in its group", async () => {
    const folder = temporaryFolder();
    const abort = new AbortController();
    const started = new Promise<void>((resolve) => {
      const watcher = watch(folder, () => existsSync(join(folder, "pid")) && resolve());
      cleanUps.push(() => watcher.close());
    });

    const command = sh(`trap '' TERM; sleep 1000 & echo $$ > pid.new; mv pid.new pid; wait`);
    const ready = awaitReady({ kind: "exec", command, timeoutMs }, subject(folder), abort.signal);
    ready.catch(() => undefined);
    await started;
    const group = Number(readFileSync(join(folder, "pid"), "utf8"));
    const membersBefore = groupMembers(group).length;
    abort.abort(new Error("stopped"));

    await expect(ready).rejects.toThrow("stopped");
    expect(membersBefore).toBeGreaterThanOrEqual(2);
    expect(groupMembers(group)).toEqual([]);
  });

  needsLinux().test("what a passed command left in its group is killed", async () => {
    const folder = temporaryFolder();

    await awaitReady({ kind: "exec", command: sh(`sleep 1000 & echo $$ > pid`), timeoutMs }, subject(folder), never);

    expect(groupMembers(Number(readFileSync(join(folder, "pid"), "utf8")))).toEqual([]);
  });

  needsProgram("setsid", "util-linux").test(
    "somebody outside the group who holds stderr open delays nothing for long",
    async () => {
      const folder = temporaryFolder();

      await awaitReady(
        { kind: "exec", command: sh(`setsid sleep 1000 & echo $! > pid`), timeoutMs },
        subject(folder),
        never,
      );

      process.kill(Number(readFileSync(join(folder, "pid"), "utf8")), "SIGKILL");
    },
  );

  test("an abort before the start starts nothing", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "seen"), "");

    const ready = awaitReady(
      { kind: "exec", command: ["rm", "seen"], timeoutMs },
      subject(folder),
      AbortSignal.abort(new Error("stopped")),
    );

    await expect(ready).rejects.toThrow("stopped");
    expect(existsSync(join(folder, "seen"))).toBe(true);
  });
});

describe("readiness: the service's own word", () => {
  const kinds: readonly (readonly [ReadyPlan, string])[] = [
    [{ kind: "fd", fd: 3, timeoutMs: 20 }, "it did not write a line to file descriptor 3 within 20 ms"],
    [{ kind: "notify", timeoutMs: 20 }, "it did not send READY=1 to the socket in NOTIFY_SOCKET within 20 ms"],
    [{ kind: "call", request: "ping", timeoutMs: 20 }, 'it did not answer the call "ping" within 20 ms'],
  ];
  for (const [plan, late] of kinds) {
    test(`${plan.kind}: it is ready once it says so, and an error after the time`, async () => {
      await awaitReady({ ...plan, timeoutMs } as ReadyPlan, { ...subject(), signalled: Promise.resolve() }, never);

      expect(await failure(awaitReady(plan, { ...subject(), signalled: new Promise(() => undefined) }, never))).toBe(
        late,
      );
    });
  }

  test("who cannot listen for it says so at once", async () => {
    expect(await failure(awaitReady({ kind: "notify", timeoutMs }, subject(), never))).toBe(
      "the readiness check notify needs the daemon",
    );
  });

  test("a rejection ends the wait with its reason, an abort with its own", async () => {
    const plan: ReadyPlan = { kind: "call", request: "ping", timeoutMs };
    const abort = new AbortController();
    const rejected = Promise.reject<void>(new Error("the call ping is not known"));

    const waiting = awaitReady(plan, { ...subject(), signalled: new Promise(() => undefined) }, abort.signal);
    abort.abort(new Error("stopped"));

    expect(await failure(awaitReady(plan, { ...subject(), signalled: rejected }, never))).toBe(
      "the call ping is not known",
    );
    await expect(waiting).rejects.toThrow("stopped");
  });
});

describe("readiness: nothing is left", () => {
  const folder = mkdtempSync(join(tmpdir(), "colos-ready-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeAll(async () => {
    const entry = fileURLToPath(new URL("./readiness.ts", import.meta.url));
    await build({
      entryPoints: [entry],
      outfile: join(folder, "readiness.mjs"),
      bundle: true,
      format: "esm",
      platform: "node",
    });
    writeFileSync(
      join(folder, "main.mjs"),
      `import { awaitReady } from "./readiness.mjs";
       import { writeSync } from "node:fs";
       const { plan, abortAfterTurns } = JSON.parse(process.argv[2]);
       const abort = new AbortController();
       const turns = async (count) => { while (count-- > 0) await new Promise((resolve) => setImmediate(resolve)); };
       void process.stderr; // Node opens it when the first socket is closed
       await turns(3);
       const before = process.getActiveResourcesInfo().toSorted();
       const subject = { onLine: () => () => undefined, env: process.env, cwd: process.cwd() };
       const ready = awaitReady(plan, subject, abort.signal).then(() => "ready", (error) => error.name);
       if (abortAfterTurns !== undefined) { await turns(abortAfterTurns); abort.abort(new RangeError()); }
       const outcome = await ready;
       await turns(3); // handles are closed at the end of a turn
       writeSync(1, JSON.stringify({ outcome, before, after: process.getActiveResourcesInfo().toSorted() }));
       process.exit();`,
    );
  });

  /** What awaitReady came to in a Node of its own, which nothing new keeps alive afterwards. */
  async function run(plan: ReadyPlan, abortAfterTurns?: number): Promise<unknown> {
    const child = spawn(process.execPath, [join(folder, "main.mjs"), JSON.stringify({ plan, abortAfterTurns })], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [[out]] = (await Promise.all([once(child.stdout, "data"), once(child, "exit")])) as [[Buffer], unknown];
    const { after, before, outcome } = JSON.parse(out.toString()) as Record<string, unknown>;
    expect(after).toEqual(before);
    return outcome;
  }

  /** Reads what is asked and never answers. */
  const silent = (): Server => createServer((socket) => socket.on("error", () => undefined).resume());
  const plans: Readonly<Record<string, () => Promise<{ passes?: ReadyPlan; fails: ReadyPlan }>>> = {
    port: async () => ({
      passes: {
        kind: "port",
        host: "127.0.0.1",
        port: await listen(createServer((socket) => socket.destroy())),
        timeoutMs,
      },
      fails: { kind: "port", host: "127.0.0.1", port: await freePort(), timeoutMs },
    }),
    http: async () => ({
      passes: {
        kind: "http",
        url: `http://127.0.0.1:${await listen(createHttpServer((_, response) => response.end()))}`,
        timeoutMs,
      },
      fails: { kind: "http", url: `http://127.0.0.1:${await listen(silent())}`, timeoutMs },
    }),
    log: async () => ({ fails: { kind: "log", pattern: "ready", timeoutMs } }),
    exec: async () => ({
      passes: { kind: "exec", command: ["true"], timeoutMs },
      fails: { kind: "exec", command: ["sleep", "1000"], timeoutMs },
    }),
  };
  for (const [kind, make] of Object.entries(plans)) {
    test(`after a check of kind ${kind}, however it ends`, async () => {
      const { fails, passes } = await make();

      expect(passes === undefined ? "ready" : await run(passes)).toBe("ready");
      expect(await run({ ...fails, timeoutMs: 40 } as ReadyPlan)).toBe("NotReadyError");
      for (const turns of [0, 1, 20]) expect(await run(fails, turns)).toBe("RangeError");
    });
  }
});
