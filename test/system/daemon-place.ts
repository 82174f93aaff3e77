/**
 * Daemon place: a temporary folder with a home of its own, in which a test drives a real daemon with the built `colos`.
 *
 * Guarantees: after the test the daemon is asked to go down; the test fails when anything runs on after that. Then it is killed, and
 * the folder is removed in any case.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test as baseTest, type TestAPI } from "vitest";
import { homeAt, type Home } from "../../src/daemon/home.ts";
import { colosFile } from "./colos-process.ts";
import { markVariable, osProcessesOf, type Belonging, type OsProcess } from "./os-processes.ts";
import { turn } from "./turn.ts";

/** Milliseconds within which everything is gone after `down`; the heart looks each 2 s. */
const goneMs = 15_000;

export interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class DaemonPlace implements Belonging {
  readonly mark: string = randomUUID();
  /** Absolute, without symbolic links. */
  readonly folder: string = realpathSync(mkdtempSync(join(tmpdir(), "colos-daemon-")));
  readonly home: Home = homeAt(join(this.folder, "home"));

  /** Writes a file, JSON unless it is text, and gives its absolute path. */
  write(name: string, content: unknown): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content, undefined, 2));
    return path;
  }

  /** Writes the services into colos.config.json. */
  config(services: object): void {
    this.write("colos.config.json", { services });
  }

  /** Runs `colos` with these words to its end. */
  colos(...words: string[]): Promise<Said> {
    return this.colosWith({}, ...words);
  }

  /** The same, with more variables. */
  colosWith(env: Readonly<Record<string, string>>, ...words: string[]): Promise<Said> {
    return this.#run([process.execPath, colosFile, ...words], env);
  }

  /** Runs `colos` with these words on a terminal of its own: what appears there, and with what it ends. */
  onTerminal(...words: string[]): { readonly text: string; readonly code: Promise<number | null> } {
    const quoted = [process.execPath, colosFile, ...words].map((word) => `'${word}'`).join(" ");
    const child = spawn("script", ["-qec", quoted, "/dev/null"], {
      cwd: this.folder,
      env: { ...process.env, ...this.#env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const seen = { text: "", code: new Promise<number | null>((resolve) => void child.once("close", resolve)) };
    child.stdout.setEncoding("utf8").on("data", (text: string) => void (seen.text += text));
    return seen;
  }

  /** Runs a script in which `colos` is this one, up to the first line that fails. */
  script(text: string): Promise<Said> {
    const colos = `colos() { '${process.execPath}' '${colosFile}' "$@"; }`;
    return this.#run(["/bin/bash", "-ec", `${colos}\n${text}`], {});
  }

  get #env(): Readonly<Record<string, string>> {
    return { NO_COLOR: "1", COLOS_HOME: this.home.root, [markVariable]: this.mark };
  }

  #run([file, ...args]: readonly [string, ...string[]], env: Readonly<Record<string, string>>): Promise<Said> {
    const child = spawn(file, args, {
      cwd: this.folder,
      env: { ...process.env, ...this.#env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => void (said[name] += text));
    }
    return new Promise((resolve) => void child.once("close", (code) => resolve({ code, ...said })));
  }

  /** What `colos ps --json` says of one instance. */
  async instance(name: string): Promise<Readonly<Record<string, unknown>> | undefined> {
    const { stdout } = await this.colos("ps", "--json");
    const { instances = [] } = JSON.parse(stdout || "{}") as { instances?: readonly { readonly name: string }[] };
    return instances.find((each) => each.name === name) as Readonly<Record<string, unknown>> | undefined;
  }

  /** The daemon's OS process, as it says itself. */
  daemonPid(): number {
    return Number(readFileSync(this.home.daemon, "utf8").split("\n")[0]);
  }

  /** Looks again and again until `look` gives something. */
  async until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
    for (;;) {
      const seen = await look();
      if (seen !== undefined) return seen;
      await turn();
    }
  }

  async close(): Promise<void> {
    const down = existsSync(this.home.controlSocket) ? await this.colos("down", "--quiet") : undefined;
    const deadline = performance.now() + goneMs;
    let left: OsProcess[] = osProcessesOf(this);
    while (left.length > 0 && performance.now() < deadline) {
      await turn();
      left = osProcessesOf(this);
    }
    for (const { pid } of left) tryKill(pid);
    const log = join(this.home.log, "daemon");
    const said = existsSync(log) ? readFileSync(log, "utf8") : "";
    rmSync(this.folder, { recursive: true, force: true });
    if (left.length === 0) return;
    throw new Error(
      ["left running:", ...left.map(({ pid, command }) => `${pid}: ${command}`), down?.stderr, said].join("\n"),
    );
  }
}

/** vitest's `test` with a place. */
export const test: TestAPI<{ place: DaemonPlace }> = baseTest.extend<{ place: DaemonPlace }>({
  // oxlint-disable-next-line no-empty-pattern
  place: async ({}, use) => {
    const place = new DaemonPlace();
    try {
      await use(place);
    } finally {
      await place.close();
    }
  },
});

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended in between.
  }
}
