/** `colos up --foreground` with servers as people run them: redis and nginx, and a web that depends on a db. */
import { connect } from "node:net";
import { expect } from "vitest";
import { needsProgram } from "./debian.ts";
import { isRunning, osProcessesOf } from "./system/os-processes.ts";
import { test, type Place } from "./system/place.ts";

const redis = needsProgram("redis-server", "redis-server");
const nginx = needsProgram("nginx", "nginx-light");

function redisService(port: number): object {
  const command = [redis.path, "--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  return { command, ready: { port }, backoff: { initialMs: 1 } };
}

/** nginx with a master and two workers, and nothing outside the folder of the place. */
function nginxService(place: Place, port: number): object {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path temp;`);
  place.write(
    "nginx.conf",
    `worker_processes 2; pid nginx.pid; error_log stderr;
    events { worker_connections 64; }
    http {
      access_log off; ${temporary.join(" ")}
      server { listen 127.0.0.1:${port}; location / { return 200 "hello"; } }
    }`,
  );
  const command = [nginx.path, "-p", place.folder, "-e", "stderr", "-c", "nginx.conf", "-g", "daemon off;"];
  return { command, ready: { port }, backoff: { initialMs: 1 } };
}

async function get(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
  return response.text();
}

/** What redis answers to PING. */
function ping(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" }, () => socket.write("PING\r\n"));
    socket.once("error", reject);
    socket.once("data", (data) => {
      socket.destroy();
      resolve(data.toString().trim());
    });
  });
}

/** The pid of the OS process that a plain line names. */
function pidIn(line: string): number {
  return Number(/\(pid (\d+)\)/.exec(line)?.[1]);
}

redis.describe("redis", () => {
  test("is ready by its port, and stops in order", async ({ place }) => {
    const port = await place.port();
    const colos = place.up({ db: redisService(port) });
    await colos.line(/every service is ready/);

    expect(await ping(port)).toBe("+PONG");
    expect(await colos.stop()).toEqual({ code: 0, signal: null });
    expect(colos.stdout).toContain("Received SIGTERM scheduling shutdown");
    await expect(ping(port)).rejects.toThrow("ECONNREFUSED");
  });

  test("answers again after it was killed", async ({ place }) => {
    const port = await place.port();
    const colos = place.up({ db: redisService(port) });
    const first = pidIn(await colos.line(/db +. starting \(pid/));
    await colos.line(/db +. ready/);

    process.kill(first, "SIGKILL");
    await colos.line(/db +. ready/, 2);

    expect(colos.stdout).toMatch(/db +. backoff: ended by SIGKILL; restarts in 1 ms/);
    expect(await ping(port)).toBe("+PONG");
    expect(await colos.stop()).toEqual({ code: 0, signal: null });
  });
});

nginx.describe("nginx", () => {
  test("answers again after its master was killed, and the old workers are gone by then", async ({ place }) => {
    const port = await place.port();
    const colos = place.up({ web: nginxService(place, port) });
    const master = pidIn(await colos.line(/web +. starting \(pid/));
    await colos.line(/web +. ready/);
    expect(await get(port)).toBe("hello");
    const before = osProcessesOf(place).filter(({ command }) => command.startsWith("nginx: "));

    process.kill(master, "SIGKILL");
    await colos.line(/web +. starting \(pid/, 2);
    const oldOnes = before.filter(({ pid }) => isRunning(pid));
    await colos.line(/web +. ready/, 2);

    expect(before).toHaveLength(3);
    expect(oldOnes).toEqual([]);
    expect(await get(port)).toBe("hello");
    expect(await colos.stop()).toEqual({ code: 0, signal: null });
  });
});

redis.describe("a web that depends on a db", () => {
  nginx.describe("of nginx and redis", () => {
    test("starts after the db is ready, outlives its restart, and stops before it", async ({ place }) => {
      const [dbPort, webPort] = [await place.port(), await place.port()];
      const web = { ...nginxService(place, webPort), dependsOn: ["db"] };
      const colos = place.up({ web, db: redisService(dbPort) });
      const db = pidIn(await colos.line(/db +. starting \(pid/));
      await colos.line(/every service is ready/);

      process.kill(db, "SIGKILL");
      await colos.line(/db +. ready/, 2);

      expect([await ping(dbPort), await get(webPort)]).toEqual(["+PONG", "hello"]);
      expect(await colos.stop()).toEqual({ code: 0, signal: null });
      const changes = colos
        .lines()
        .flatMap((line) => /^(\w+ +=) (\w+)(?!.*waiting)/.exec(line)?.slice(1).join(" ") ?? []);
      expect(changes.map((change) => change.replace(/ += /, " "))).toEqual([
        ...["db waiting", "web waiting", "db starting", "db ready", "web starting", "web ready", "colos every"],
        ...["db backoff", "db starting", "db ready"],
        ...["colos stopping", "db stopping", "web stopping", "web stopped", "db stopped", "colos ended"],
      ]);
    });

    test("is gone at once after a second Ctrl+C", async ({ place }) => {
      const [dbPort, webPort] = [await place.port(), await place.port()];
      const colos = place.up({
        db: redisService(dbPort),
        web: { ...nginxService(place, webPort), dependsOn: ["db"] },
        deaf: {
          command: ["sh", "-c", "trap '' TERM; while :; do sleep 1000; done"],
          shutdown: "infinity",
          dependsOn: ["web"],
        },
      });
      await colos.line(/every service is ready/);
      colos.signal("SIGINT");
      await colos.line(/colos +. stopping/);

      colos.signal("SIGINT");

      expect(await colos.ended).toEqual({ code: 130, signal: null });
      await expect(get(webPort)).rejects.toThrow("fetch failed");
    });
  });
});
