/** The built command against a daemon that is a socket in this test: what a person sees when it misbehaves. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished } from "vitest";
import type { SystemStatus } from "../src/control/manager.ts";
import { statusOf } from "./fake-manager.ts";
import { colosFile } from "./system/colos-process.ts";
import { test, type Place } from "./system/place.ts";

/** Answers each connection in the home `h` of the place. */
async function daemonAt(place: Place, answer: (socket: Socket) => void): Promise<void> {
  mkdirSync(join(place.folder, "h"));
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(join(place.folder, "h", "control.sock"), resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}

function answerJson(socket: Socket, value: unknown): void {
  const body = JSON.stringify(value);
  socket.end(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

const home = ["--home", "h"];

describe("colos and its daemon", () => {
  test("colos ps shows what the daemon says", async ({ place }) => {
    const status: SystemStatus = statusOf();
    await daemonAt(place, (socket) => answerJson(socket, status));

    const colos = place.colos(["ps", "--json", ...home]);

    expect(await colos.ended).toEqual({ code: 0, signal: null });
    expect(JSON.parse(colos.stdout)).toEqual(status);
  });

  test("without a home the command says that no daemon runs, and makes none", async ({ place }) => {
    const colos = place.colos(["ps", ...home]);

    expect(await colos.ended).toEqual({ code: 3, signal: null });
    expect(colos.stderr).toBe(`colos: no daemon is running in ${place.folder}/h\n  Start one with: colos up\n`);
  });

  test("logs of somebody else are refused, and not said to be absent", async ({ place, skip }) => {
    if (process.getuid?.() !== 0) skip("only root can be somebody else");
    mkdirSync(join(place.folder, "h", "services", "web"), { recursive: true, mode: 0o700 });
    chmodSync(join(place.folder, "h"), 0o700);
    chmodSync(place.folder, 0o755);
    const mayRead = spawnSync(process.execPath, [colosFile, "--version"], { uid: 65_534, gid: 65_534, cwd: "/" });
    if (mayRead.status !== 0) skip("nobody else may read this folder");
    const nobody = { uid: 65_534, gid: 65_534, cwd: "/", encoding: "utf8" } as const;

    const { status, stderr } = spawnSync(
      process.execPath,
      [colosFile, "logs", "web", "--home", join(place.folder, "h")],
      nobody,
    );

    expect(stderr).toBe(`colos: ${place.folder}/h belongs to another user\n`);
    expect(status).toBe(5);
  });

  test("a daemon that dies while it is asked is a sentence", async ({ place }) => {
    await daemonAt(place, (socket) => socket.destroy());

    const colos = place.colos(["stop", "web", "--quiet", ...home]);

    expect(await colos.ended).toEqual({ code: 1, signal: null });
    expect(colos.stderr).toMatch(/^colos: the connection to the daemon was lost before its answer/);
    expect(colos.stderr).toContain("colos ps shows what is");
  });

  test.for([
    ["no HTTP", "hello\r\n\r\n"],
    ["no JSON", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"],
    ["half an answer", "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{"],
    ["another status", "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}"],
  ] as const)("an answer that is %s is a sentence", async ([, answer], { place }) => {
    await daemonAt(place, (socket) => socket.end(answer));

    const colos = place.colos(["ps", ...home]);

    expect(await colos.ended).toEqual({ code: 1, signal: null });
    expect(colos.stderr).toMatch(/^colos: .*\n/);
    expect(colos.stderr).not.toContain("at file://");
    expect(colos.stdout).toBe("");
  });

  test("Ctrl+C ends the waiting for a daemon that does not answer", async ({ place }) => {
    let asked = (): void => {};
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    await daemonAt(place, () => asked());
    const colos = place.colos(["stop", "web", "--quiet", ...home]);
    await isAsked;

    colos.signal("SIGINT");

    expect(await colos.ended).toEqual({ code: 130, signal: null });
    expect(colos.stderr).toBe("colos: no longer waited for; it goes on\n");
  });

  test("a reader that takes one line is no failure", async ({ place }) => {
    const instances = Array.from({ length: 2000 }, (_, at) => ({ ...statusOf().instances[0]!, name: `web.${at + 2}` }));
    await daemonAt(place, (socket) => answerJson(socket, statusOf(instances)));

    const argv = [process.execPath, colosFile, "ps", ...home].map((word) => `'${word}'`).join(" ");
    const shell = place.run(["/bin/bash", "-c", `${argv} | head -1; echo "\${PIPESTATUS[0]}"`]);

    await shell.ended;
    expect(shell.stdout.split("\n").slice(1)).toEqual(["0", ""]);
    expect(shell.stderr).toBe("");
  });
});
