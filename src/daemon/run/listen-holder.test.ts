import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildRunDaemon, RunDaemonProcess } from "../../../test/run-daemon-process.ts";
import { leftOf, newHome, openTestRuns, specOf } from "../../../test/run-home.ts";
import { freePort } from "../../../test/system/place.ts";
import { gone } from "../../../test/system/os-processes.ts";
import { turn } from "../../../test/system/turn.ts";
import type { Home } from "../home.ts";
import type { RunId, RunSpec } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "colos-holder-"));
let file: string;
beforeAll(async () => {
  file = await buildRunDaemon(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

const host = "127.0.0.1";

/** Answers each connection with its run, its pid as it is and as it was told, and what else is in `SAYS`. */
const server = `
  const { COLOS_RUN, LISTEN_FDS, LISTEN_PID, SAYS = "" } = process.env;
  require("node:net").createServer((socket) =>
    socket.end(JSON.stringify([COLOS_RUN, LISTEN_FDS, Number(LISTEN_PID) === process.pid, SAYS])),
  ).listen({ fd: 3 }, () => console.log("listening"));
`;

function serverSpec(home: Home, id: RunId, port: number, env: Record<string, string> = {}): RunSpec {
  return specOf(home, id, { argv: [process.execPath, "-e", server], listen: [{ port, host }], env });
}

/** What a connection is answered; asks again while nobody listens yet. */
async function answerOf(port: number): Promise<unknown> {
  for (;;) {
    const text = await new Promise<string | undefined>((resolve) => {
      let said = "";
      const socket = createConnection(port, host);
      socket.on("data", (chunk: Buffer) => (said += chunk.toString()));
      socket.on("error", () => resolve(undefined));
      socket.on("close", () => resolve(said));
    });
    if (text) return JSON.parse(text) as unknown;
  }
}

test("instances share a port, and get odd values of variables as they are", async () => {
  const { home, runs } = openTestRuns(newHome());
  const port = await freePort();
  const odd = `a 'b' "c" $HOME \`d\` \\ * \n\n'\n; exit 1 \u00e4 \t #`;
  await Promise.all(["web.1.1", "web.2.1"].map((id) => runs.start(serverSpec(home, id, port, { SAYS: odd }))));

  const [id, ...rest] = (await answerOf(port)) as string[];

  expect(["web.1.1", "web.2.1"]).toContain(id);
  expect(rest).toEqual(["1", true, odd]);
  expect(leftOf(home).filter(({ command }) => / hold /.test(command))).toHaveLength(1);
});

test("a socket outlives the daemon, and the next daemon starts more instances on it", async () => {
  const home = newHome();
  const port = await freePort();
  const daemon = new RunDaemonProcess(file, home);
  daemon.start(serverSpec(home, "web.1.1", port));
  const { identity } = await daemon.report("started", "web.1.1");
  await answerOf(port);
  await daemon.kill();
  const { runs, end } = openTestRuns(home);
  await runs.recover();
  runs.signal("web.1.1", "SIGKILL");
  await end("web.1.1");
  await gone(identity.osPid);

  await runs.start(serverSpec(home, "web.1.2", port));

  expect(await answerOf(port)).toEqual(["web.1.2", "1", true, ""]);
});

test("connections wait while no instance runs", async () => {
  const { home, runs, end } = openTestRuns(newHome());
  const port = await freePort();
  await runs.start(serverSpec(home, "web.1.1", port));
  await answerOf(port);
  runs.signal("web.1.1", "SIGKILL");
  await end("web.1.1");
  const waiting = answerOf(port);

  await runs.start(serverSpec(home, "web.1.2", port));

  expect(await waiting).toEqual(["web.1.2", "1", true, ""]);
});

test("a released port is free again, and nothing of its holder is left", async () => {
  const { home, runs, end } = openTestRuns(newHome());
  const port = await freePort();
  await runs.start(serverSpec(home, "web.1.1", port));
  runs.kill("web.1.1");
  await end("web.1.1");
  await runs.forget("web.1.1");
  const holder = Number(readFileSync(join(home.runs, `hold-${port}-${host}`), "utf8").split(" ")[0]);

  expect(runs.heldListens()).toEqual([{ port, host }]);
  runs.releaseListen(port, host);
  expect(runs.heldListens()).toEqual([]);

  await gone(holder);
  while (leftOf(home).length > 0) await turn();
  await runs.start(serverSpec(home, "web.1.2", port));
  expect(await answerOf(port)).toEqual(["web.1.2", "1", true, ""]);
});

test("a holder that an earlier daemon has started and that is not there yet is waited for", async () => {
  const { home, runs } = openTestRuns(newHome());
  const port = await freePort();
  await runs.start(serverSpec(home, "web.1.1", port));
  const hold = join(home.runs, `hold-${port}-${host}`);
  renameSync(hold, `${hold}.later`);
  const starting = runs.start(serverSpec(home, "web.2.1", port));
  while (!existsSync(join(home.runs, "web.2.1.spec"))) await turn();

  renameSync(`${hold}.later`, hold);

  expect(await starting).toMatchObject({ osPid: expect.any(Number) as number });
});

test("a port that somebody else has is refused with who it is", async () => {
  const other = openTestRuns(newHome());
  const port = await freePort();
  await other.runs.start(serverSpec(other.home, "web.1.1", port));
  await answerOf(port);
  const { home, runs } = openTestRuns(newHome());

  await expect(runs.start(serverSpec(home, "web.1.1", port))).rejects.toMatchObject({
    message: expect.stringContaining(`port ${port} on ${host} is already in use by`) as string,
    code: "EADDRINUSE",
    isOwnTrouble: false,
  });
});
