/**
 * Launcher: one small `/bin/sh` of the daemon, which starts the shims of its runs.
 *
 * Node's own spawn copies the page tables of the whole daemon and stands still until the child executes: 4 to 5 ms of which nothing else
 * happens in the daemon. A shell of 1 MB forks in a tenth of that, and its shims need not read the script again: what they share
 * with it is not their own memory.
 * Guarantees: a shim that was started is nobody's child, so neither the launcher's end nor the daemon's is felt by it. The launcher ends with the
 * daemon: it reads its commands from it. Half a command, of a daemon that was killed while it wrote, is not obeyed. Environments go
 * through that connection alone: they are in no file and on no command line. A launcher that is gone is made anew; what it had not
 * begun fails as the daemon's own trouble.
 * Limits: `commandBytesMax` wait for a launcher that does not read.
 * Not here: what a shim does (shim-script.ts), shims that share a listening socket (listen-holder.ts).
 *
 * @module
 */
import { spawn, type ChildProcess } from "node:child_process";
import type { Home } from "../home.ts";
import { shellQuote } from "../shell-quote.ts";
import type { ShimCall } from "./run-launch.ts";
import type { RunId } from "./run.ts";
import { shimFile } from "./shim-script.ts";

/** Bytes of commands that wait for a launcher that does not read them; more are refused. */
export const commandBytesMax = 16_777_216;
/** Lines and characters kept of what shims say is wrong. */
const linesMax = 10;
const problemMaxChars = 2_000;

/** How a shim ended that did not start its service. */
export interface ShimFailure {
  /** null: nobody knows, because the launcher has ended. */
  readonly status: number | null;
  readonly problem: string;
}

export class Launcher {
  readonly #home: Home;
  readonly #path: string;
  readonly #waiting = new Map<RunId, { readonly sinceCount: number; failed(failure: ShimFailure): void }>();
  /** The last lines that were no shim's last, and how many there were before each. */
  readonly #said: { readonly line: string; readonly count: number }[] = [];
  #saidCount = 0;
  #child: ChildProcess | undefined;

  /** `path`: where shims find their tools. */
  constructor(home: Home, path: string) {
    this.#home = home;
    this.#path = path;
  }

  /**
   * Has a shim started. `failed` is called when it ends before its service began, until `began` is called.
   * @throws what the OS refuses
   */
  async start(id: RunId, call: ShimCall, failed: (failure: ShimFailure) => void): Promise<void> {
    const { stdin } = this.#child ?? (await this.#open());
    if (stdin!.writableLength > commandBytesMax)
      throw Object.assign(new Error("the launcher does not read its commands"), { code: "EAGAIN" });
    this.#waiting.set(id, { sinceCount: this.#saidCount, failed });
    stdin!.write(commandOf(call));
  }

  /** Nobody needs to know any more how its shim ends. */
  began(id: RunId): void {
    this.#waiting.delete(id);
  }

  /** Ends the launcher, which may hang; the next start makes another. */
  renew(): void {
    this.#child?.kill("SIGKILL");
  }

  /** Shims go on. */
  close(): void {
    this.#child?.stdin?.end();
  }

  async #open(): Promise<ChildProcess> {
    // -s: a shell that reads commands as they come. What follows is for people who look at `ps`.
    const args = ["-s", "--", "launch", shimFile(this.#home)];
    const env = { PATH: this.#path };
    const child = spawn("/bin/sh", args, { detached: true, cwd: "/", env, stdio: ["pipe", "ignore", "pipe"] });
    if (child.pid === undefined)
      throw await new Promise<Error>((resolve) => void child.once("error", (error) => resolve(error)));
    this.#child = child;
    child.unref();
    for (const stream of [child.stdin!, child.stderr!]) {
      stream.on("error", () => {}); // its end says more
      (stream as unknown as { unref(): void }).unref();
    }
    this.#read(child);
    child.stdin!.write(`. ${shellQuote(shimFile(this.#home))}\n`);
    return child;
  }

  /** Shims say what is wrong in any words, all to this one connection, and then, in a line of their own, who they were. */
  #read(child: ChildProcess): void {
    let rest = "";
    child.stderr!.on("data", (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop()!.slice(-problemMaxChars);
      for (const line of lines) {
        const [, id, status] = /^colos-shim (\S+) (\d+)$/.exec(line) ?? [];
        if (id === undefined) this.#say(line.trim());
        else this.#fail(id, Number(status));
      }
    });
    child.once("exit", () => {
      if (this.#child === child) this.#child = undefined;
      for (const line of [rest.trim(), "its launcher has ended"]) this.#say(line);
      for (const id of this.#waiting.keys()) this.#fail(id, null);
    });
  }

  #say(line: string): void {
    if (line === "") return;
    this.#said.push({ line, count: (this.#saidCount += 1) });
    if (this.#said.length > linesMax) this.#said.shift();
  }

  /** What was said since it was sent: of several that fail at once each has the words of all, which mostly are the same. */
  #fail(id: RunId, status: number | null): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    const lines = this.#said.filter(({ count }) => count > (waiting?.sinceCount ?? 0)).map(({ line }) => line);
    waiting?.failed({ status, problem: lines.join("; ").slice(0, problemMaxChars) });
  }
}

/** In braces, because half of it is then no command at all. */
function commandOf({ words, env, cwd }: ShimCall): string {
  return `{ colos_launch ${[cwd, environmentScript(env), ...words].map(shellQuote).join(" ")}; }\n`;
}

/** Variables that some shells do not let be set; the service gets what the shell says then. */
const perhapsReadonly: ReadonlySet<string> = new Set(["UID", "EUID", "GROUPS"]);

/** What the service's own OS process does last before it executes. PWD is where it is, and OLDPWD where the launcher was. */
function environmentScript({ PATH, PWD: _place, OLDPWD, ...env }: Readonly<Record<string, string>>): string {
  const set = ([name, value]: readonly [string, string]): string => `${name}=${shellQuote(value)}`;
  const all = Object.entries(env);
  const plain = all.filter(([name]) => !perhapsReadonly.has(name)).map(set);
  const tried = all
    .filter(([name]) => perhapsReadonly.has(name))
    .map((each) => `command export ${set(each)} 2>/dev/null`);
  const unset = Object.entries({ PATH, OLDPWD }).flatMap(([name, value]) =>
    value === undefined ? [`unset ${name}`] : [`export ${set([name, value])}`],
  );
  return [...tried, ...(plain.length === 0 ? [] : [`export ${plain.join(" ")}`]), ...unset].join("; ");
}
