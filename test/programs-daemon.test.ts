/**
 * Programs under the daemon that know nothing of it: one port for several instances, an end without a reset.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect } from "vitest";
import { needsLinux } from "./debian.ts";
import { test, type DaemonPlace } from "./system/daemon-place.ts";
import { Load } from "./system/load.ts";
import { freePort } from "./system/place.ts";

const linux = needsLinux();
const listenEntry = new URL("../dist/listen-entry.js", import.meta.url).href;

/** Knows nothing of colos. */
const naiveServer = (port: number): string => `
  import { createServer } from "node:http";
  const server = createServer((request, response) => setTimeout(() => response.end(process.env.COLOS_INSTANCE), 2));
  server.listen(${port}, () => console.log("up"));
`;

/** Ends and starts new instances, while clients with kept and with new connections never pause. */
async function reloadUnderLoad(place: DaemonPlace, port: number, reloads: number): Promise<readonly string[]> {
  const loads = [new Load(port, 20), new Load(port, 4, false)];
  for (let each = 0; each < reloads; each += 1) {
    expect(await place.colos("reload", "web")).toMatchObject({ code: 0, stderr: "" });
  }
  for (const load of loads) await load.end();
  expect([...loads[0]!.answers].toSorted()).toEqual(["1", "2"]);
  return loads.flatMap(({ errors }) => errors);
}

/** It ends as most are told to: `close`, which of itself resets whoever sends on a connection that was idle. */
const closingServer = (port: number): string => `
  import { createServer } from "node:http";
  const server = createServer((request, response) => response.end(process.env.COLOS_INSTANCE)).listen(${port}, () => console.log("up"));
  process.on("SIGTERM", () => {
    server.close((error) => process.exit(error === undefined ? 0 : 1));
    server.closeIdleConnections();
  });
`;

linux.describe("a server that knows nothing of colos, with listen", () => {
  test("shares the port as a program, and loses no request when it is reloaded", async ({ place }) => {
    const port = await freePort();
    place.write("web.mjs", naiveServer(port));
    place.config({ web: { program: "web.mjs", listen: port, instances: 2, ready: { log: "up" } } });
    expect(await place.colos("up")).toMatchObject({ code: 0 });

    expect(await reloadUnderLoad(place, port, 2)).toEqual([]);
  }, 60_000);

  test("loses no request when it closes with a handler of its own", async ({ place }) => {
    const port = await freePort();
    place.write("web.mjs", closingServer(port));
    place.config({ web: { program: "web.mjs", listen: port, instances: 2, ready: { log: "up" } } });
    expect(await place.colos("up")).toMatchObject({ code: 0 });

    expect(await reloadUnderLoad(place, port, 3)).toEqual([]);
    const { stdout } = await place.colos("show", "web", "--json");
    const { instances } = JSON.parse(stdout) as { instances: { runs: { exit?: { code: number } }[] }[] };
    const exits = instances.flatMap(({ runs }) => runs.flatMap(({ exit }) => exit ?? []));
    expect(exits.map(({ code }) => code)).toEqual(exits.map(() => 0));
    expect(exits.length).toBeGreaterThanOrEqual(6);
  }, 60_000);

  test("shares the port as a command that is this Node, with NODE_OPTIONS of its own", async ({ place }) => {
    const port = await freePort();
    const file = place.write("web.mjs", naiveServer(port));
    const marker = place.write("marker.cjs", "process.env.MARKED = process.env.NODE_OPTIONS ?? '';");
    const env = { NODE_OPTIONS: `--require=${marker}` };
    place.config({
      web: { command: [process.execPath, file], listen: port, instances: 2, ready: { log: "up" }, env },
    });
    expect(await place.colos("up")).toMatchObject({ code: 0 });

    expect(await reloadUnderLoad(place, port, 1)).toEqual([]);
  }, 60_000);
});

/** A program with fd 3 as colos would hand it on, below a shell that knows its pid. */
function startHanded(place: DaemonPlace, held: { port: number; host: string }, text: string): Promise<ChildProcess> {
  const file = place.write("program.mjs", text);
  const holder = place.write(
    "holder.mjs",
    `import { createServer } from "node:net";
     import { spawn } from "node:child_process";
     const socket = createServer().listen(${held.port}, "${held.host}", () => {
       const child = spawn("/bin/sh", ["-c", 'LISTEN_PID=$$ exec "$0" "$@"', process.execPath, ${JSON.stringify(file)}], {
         stdio: ["ignore", "inherit", "inherit", socket._handle.fd],
         env: { ...process.env, LISTEN_FDS: "1", COLOS_LISTEN: "${held.host}:${held.port}", NODE_OPTIONS: "--import=${listenEntry}" },
       });
       socket.close();
       process.on("SIGTERM", () => child.kill("SIGTERM"));
       child.on("exit", (code, signal) => { console.log("end " + (signal ?? code)); process.exit(0); });
     });`,
  );
  const child = spawn(process.execPath, [holder], { stdio: ["ignore", "pipe", "pipe"] });
  return once(child, "spawn").then(() => child);
}

/** Runs `text` with the socket; SIGTERM once it has written `up`. All that it wrote, and how it ended. */
async function runHanded(place: DaemonPlace, text: string, host = "127.0.0.1", port = 0): Promise<string> {
  const child = await startHanded(place, { port: port === 0 ? await freePort() : port, host }, text);
  let said = "";
  let isAsked = false;
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding("utf8").on("data", (part: string) => {
      said += part;
      if (!isAsked && said.includes("up")) isAsked = child.kill("SIGTERM");
    });
  }
  await once(child, "close");
  return said;
}

const port = "Number(process.env.COLOS_LISTEN.split(':')[1])";

linux.describe("listen with a handed socket", () => {
  const taking = [
    `listen(port)`,
    `listen(String(port), 10)`,
    `listen({ port, backlog: 10, exclusive: true })`,
    `listen(port, "0.0.0.0", 10)`,
    `listen(port, "localhost")`,
    `listen({ port: String(port), host: "127.0.0.1" })`,
  ];
  test.for(taking)("%s has it", async (call, { place }) => {
    const said = await runHanded(
      place,
      `import { createServer } from "node:http";
       const port = ${port};
       const server = createServer();
       server.${call};
       server.on("listening", () => console.log(server.address().port === port && server._handle.fd === 3 ? "up" : "no"));`,
    );
    expect(said).toBe("up\nend 0\n");
  });

  const leaving = [
    `listen(0, up)`,
    `listen({ port: 0 }, up)`,
    `listen(other, up)`,
    `listen({ path }, up)`,
    `listen(up)`,
  ];
  test.for(leaving)("%s is as it was", async (call, { place }) => {
    const said = await runHanded(
      place,
      `import { createServer } from "node:http";
       const path = ${JSON.stringify(join(place.folder, "socket"))};
       const other = ${await freePort()};
       const up = () => console.log(server._handle.fd === 3 ? "no" : "up");
       const server = createServer().${call};`,
    );
    expect(said).toBe("up\nend 0\n");
  });

  test("an address that is narrower than the socket's is refused by the OS, and said", async ({ place }) => {
    const said = await runHanded(
      place,
      `import { createServer } from "node:http";
       createServer().on("error", ({ code }) => console.log("up", code)).listen(${port}, "localhost");
       setInterval(() => {}, 1000);`,
      "0.0.0.0",
    );
    expect(said).toContain('write listenHost: "127.0.0.1" there, or no address here');
    expect(said).toContain("up EADDRINUSE\nend SIGTERM\n");
  });

  test("the first of two servers has it", async ({ place }) => {
    const said = await runHanded(
      place,
      `import { createServer } from "node:http";
       const port = ${port};
       createServer().listen(port, () => {
         createServer().on("error", ({ code }) => console.log("up", code)).listen(port);
       });`,
    );
    expect(said).toBe("up EADDRINUSE\nend 0\n");
  });

  test("workers of a cluster have it through their primary", async ({ place }) => {
    const said = await runHanded(
      place,
      `import cluster from "node:cluster";
       import { createServer, get } from "node:http";
       if (cluster.isPrimary) {
         const worker = cluster.fork();
         cluster.on("listening", () => {
           get({ port: ${port}, host: "127.0.0.1" }, (r) => r.on("data", (d) => {
             worker.kill("SIGKILL");
             worker.once("exit", () => console.log(String(d), "up"));
           }));
         });
       } else createServer((request, response) => response.end("answered")).listen(${port});`,
    );
    expect(said).toMatch(/^answered up\nend /);
  });

  test("what it starts inherits nothing of it", async ({ place }) => {
    const said = await runHanded(
      place,
      `import { createServer } from "node:http";
       createServer().listen(${port}, () => console.log("up", process.env.NODE_OPTIONS));`,
    );
    expect(said).toBe("up undefined\nend 0\n");
  });
});

linux.describe("the stop signal, for a server that has no handler", () => {
  test("lets a request that has begun end, whatever timers there are", async ({ place }) => {
    const said = await runHanded(
      place,
      `import { createServer, get } from "node:http";
       const server = createServer((request, response) => {
         console.log("up");
         setInterval(() => server.listening || response.end("whole"), 5);
       });
       server.listen(${port}, () => get({ port: ${port}, host: "127.0.0.1" }, (r) => r.on("data", (d) => console.log(String(d)))));`,
    );
    expect(said).toBe("up\nwhole\nend 0\n");
  });

  test("is the program's own when it has one, before or after it listens", async ({ place }) => {
    for (const [before, after] of [
      ["own();", ""],
      ["", "own();"],
    ] as const) {
      const said = await runHanded(
        place,
        `import { createServer } from "node:http";
         const own = () => process.on("SIGTERM", () => process.exit(process.listenerCount("SIGTERM") + 10));
         ${before}
         createServer().listen(${port}, () => setImmediate(() => console.log("up")));
         ${after}`,
      );
      expect(said).toBe("up\nend 11\n");
    }
  });

  test("ends the OS process as ever when no server listens any more", async ({ place }) => {
    const said = await runHanded(
      place,
      `import { createServer } from "node:http";
       const server = createServer().listen(${port}, () => server.close(() => console.log("up")));
       setInterval(() => {}, 1000);`,
    );
    expect(said).toBe("up\nend SIGTERM\n");
  });
});
