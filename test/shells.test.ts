/**
 * Shells: what colos has `/bin/sh` do, done by other shells that machines have in that place: busybox as on Alpine (with busybox's own
 * tools too), bash and mksh. All other tests have this machine's own. In a mount namespace the shell stands where `/bin/sh` is, for the daemon and all that it
 * starts.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, realpathSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { containerInit } from "../src/daemon/boot/container.ts";
import { findHeart } from "../src/daemon/boot/heart.ts";
import { needsProgram } from "./debian.ts";
import { colosFile } from "./system/colos-process.ts";
import { test, type DaemonPlace, type Said } from "./system/daemon-place.ts";
import { osProcessesOf } from "./system/os-processes.ts";
import { freePort } from "./system/place.ts";

const asUser = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
const hasNamespaces = spawnSync("unshare", [...asUser, "--mount", "true"]).status === 0;

interface Shell {
  readonly path: string;
  /** Where its own tools are, which go before all others. */
  readonly tools?: (place: DaemonPlace) => string;
}

/** A folder with a link for each tool that busybox has. */
function busyboxTools(place: DaemonPlace): string {
  const folder = join(place.folder, "tools");
  mkdirSync(folder);
  const { stdout } = spawnSync(busybox.path, ["--list"], { encoding: "utf8" });
  for (const name of stdout.trim().split("\n")) symlinkSync(busybox.path, join(folder, name));
  return folder;
}

const busybox = needsProgram("busybox", "busybox-static");
const mksh = needsProgram("mksh", "mksh");
const bash = needsProgram("bash", "bash");

/** Runs a command where `/bin/sh` is this shell. */
function under({ path, tools }: Shell, place: DaemonPlace, ...command: readonly string[]): Promise<Said> {
  const search = tools === undefined ? "" : `export PATH="${tools(place)}:$PATH"; `;
  const enter = place.write("enter", `mount --bind ${path} ${realpathSync("/bin/sh")}\n${search}exec "$@"\n`);
  return place.script(["exec unshare", ...asUser, "--mount", bash.path, "-e", enter, ...command].join(" "));
}

/** What `/bin/sh` does of a home, and whether it is this shell that does it. */
function doneBy(shell: Shell, place: DaemonPlace): Readonly<Record<string, boolean>> {
  const shim = join(place.home.root, "shim");
  const found = osProcessesOf(place).flatMap(({ pid, command }) => {
    const [, kind] = command.split(`${shim} `);
    return kind === undefined ? [] : [[kind.split(" ")[0]!, pid] as const];
  });
  const heart = ["heart", findHeart(place.home)!.osPid] as const;
  const inode = (path: string): number => statSync(path).ino;
  return Object.fromEntries(
    [heart, ...found].map(([kind, osPid]) => [kind, inode(`/proc/${osPid}/exe`) === inode(shell.path)]),
  );
}

const web = `
process.on("SIGTERM", () => process.exit(0));
require("net").createServer((socket) => socket.end("hello")).listen({ fd: 3 }, () => console.log("up"));`;

function tests(shell: Shell): void {
  test("what runs outlives the daemon, an exit code too, and the heart starts another", async ({ place, skip }) => {
    if (!hasNamespaces) skip("this machine forbids mount namespaces, or has no unshare(1)");
    const port = await freePort();
    const file = join(place.folder, "go");
    place.config({
      web: { command: [process.execPath, "-e", web], listen: port, ready: { log: "up" } },
      job: {
        command: ["sh", "-c", `echo >&5; until [ -e '${file}' ]; do sleep 0.02; done; exit 7`],
        ready: { fd: 5 },
        restart: "temporary",
      },
      few: { command: ["sh", "-c", "ulimit -n; exec sleep 1000"], ready: { log: "300" }, limits: { fdsMax: 300 } },
    });

    const up = await under(shell, place, process.execPath, colosFile, "up");
    expect(up).toMatchObject({ code: 0, stderr: "" });
    expect(doneBy(shell, place)).toEqual({ heart: true, hold: true, run: true });

    const before = place.daemonPid();
    const webPid = (await place.instance("web"))?.["osPid"];
    process.kill(before, "SIGKILL");
    writeFileSync(file, "");
    await place.until(async () => (await place.instance("job"))?.["state"] === "failed" || undefined);

    expect(place.daemonPid()).not.toBe(before);
    expect((await place.instance("web"))?.["osPid"]).toBe(webPid);
    expect((await place.colos("why", "job")).stdout).toContain("exit code 7");
    expect(await place.colos("reload", "web")).toMatchObject({ code: 0 });
    expect(await place.colos("down")).toMatchObject({ code: 0 });
    expect(osProcessesOf(place)).toEqual([]);
  });

  test("the first OS process of a container passes signals, stdin and the exit code on", () => {
    const script = 'trap "exit 5" TERM; read -r line; kill -TERM $PPID; while :; do sleep 0.01; done';
    const options = { input: "x\n", encoding: "utf8", argv0: "sh", timeout: 20_000 } as const;
    const { status } = spawnSync(shell.path, ["-c", containerInit, "init", bash.path, "-c", script], options);

    expect(status).toBe(5);
  });

  test("the first OS process of a container ends at once of what came before there was anybody to pass it to", () => {
    const early = containerInit.replace("exec 3<&0", () => "kill -TERM $$; exec 3<&0");
    expect(early).not.toBe(containerInit);
    const options = { argv0: "sh", timeout: 20_000 } as const;
    const { status } = spawnSync(shell.path, ["-c", early, "init", "sleep", "1000"], options);

    expect(status).toBe(128 + 15);
  });
}

busybox.describe("shells: busybox with its own tools", () => tests({ path: busybox.path, tools: busyboxTools }));
mksh.describe("shells: mksh", () => tests({ path: mksh.path }));
bash.describe("shells: bash as sh", () => tests({ path: bash.path }));
