/** `colos up --foreground` on a terminal: what a person sees, and what is left of it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect } from "vitest";
import { needsProgram } from "./debian.ts";
import { colosFile } from "./system/colos-process.ts";
import { osProcessesOf } from "./system/os-processes.ts";
import { test, type Place } from "./system/place.ts";

const tmux = needsProgram("tmux", "tmux");

/** A shell in a tmux of its own, driven through tmux's control mode: what appears on the screen is an event there. */
class Terminal {
  readonly #control: ChildProcess;
  /** Who waits for the answers to come, in order; the first answer is to the start itself. */
  readonly #asked: ((answer: string) => void)[] = [() => {}];
  #answer: string[] | undefined;
  #changed: () => void = () => {};

  constructor(place: Place) {
    const shell = "exec env PS1='$ ' sh";
    const session = ["new-session", "-x", "100", "-y", "24", shell];
    this.#control = spawn(tmux.path, ["-S", `${place.folder}/tmux`, "-f", "/dev/null", "-C", ...session], {
      cwd: place.folder,
      env: { ...process.env, ...place.env, LANG: "C.UTF-8", LC_ALL: "C.UTF-8" },
      // The server, a daemon, inherits the last one: its end is that of the server.
      stdio: ["pipe", "pipe", "ignore", "pipe"],
    });
    this.#control.stdio[3]!.on("data", () => {});
    createInterface({ input: this.#control.stdout! }).on("line", (line) => this.#take(line));
  }

  /** Presses keys, as tmux names them; a text in single quotes is typed. */
  async press(...keys: string[]): Promise<void> {
    await this.#ask(`send-keys ${keys.join(" ")}`);
  }

  /** The screen once it matches. */
  async shows(pattern: RegExp): Promise<string> {
    for (;;) {
      const changed = new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
      const screen = await this.#ask("capture-pane -p");
      if (pattern.test(screen)) return screen;
      await changed;
    }
  }

  /** Whether the cursor is shown, and whether long lines are wrapped. */
  async modes(): Promise<{ cursor: boolean; wrap: boolean }> {
    const [cursor, wrap] = (await this.#ask("display-message -p '#{cursor_flag}#{wrap_flag}'")).trim();
    return { cursor: cursor === "1", wrap: wrap === "1" };
  }

  /** The end of the shell is the end of its session, of tmux's server and of this client, in this order. */
  async close(): Promise<void> {
    const closed = Promise.all([once(this.#control, "close"), once(this.#control.stdio[3]!, "close")]);
    this.#control.stdin!.write("send-keys exit Enter\n");
    await closed;
  }

  #ask(words: string): Promise<string> {
    return new Promise((resolve) => {
      this.#asked.push(resolve);
      this.#control.stdin!.write(`${words}\n`);
    });
  }

  #take(line: string): void {
    if (line.startsWith("%begin ")) this.#answer = [];
    else if (/^%(?:end|error) /.test(line)) {
      this.#asked.shift()?.((this.#answer ?? []).join("\n"));
      this.#answer = undefined;
    } else if (this.#answer !== undefined) this.#answer.push(line);
    else if (line.startsWith("%output ")) this.#changed();
  }
}

const upShop = `'"${process.execPath}" "${colosFile}" up --foreground shop.json; echo code $?'`;

tmux.describe("colos up on a terminal", () => {
  test("shows a live table, stops at Ctrl+C and leaves the terminal as it was", async ({ place }) => {
    const web = { command: ["sh", "-c", "echo first line; exec sleep 1000"], ready: { log: "first" } };
    const db = { command: ["sleep", "1000"] };
    place.write("shop.json", { services: { db, web: { ...web, dependsOn: ["db"] } } });
    const terminal = new Terminal(place);
    await terminal.shows(/^\$$/m);
    await terminal.press(upShop, "Enter");

    const table = await terminal.shows(/2 of 2 ready.*web[^\n]* ready [^\n]*first line/s);
    const modes = await terminal.modes();
    await terminal.press("C-c");
    const last = await terminal.shows(/^code \d+$/m);

    expect(table).toMatch(/^shop: 2 of 2 ready, up \d+s · Ctrl\+C stops$/m);
    expect(table).toMatch(/^ *db +command +ready +\d+/m);
    expect(modes.cursor).toBe(false);
    expect(last).toMatch(/^shop: ended after \d+s$/m);
    expect(last).toMatch(/^code 0$/m);
    expect(last).toMatch(/db +command +stopped/);
    expect(await terminal.modes()).toEqual({ cursor: true, wrap: true });
    expect(osProcessesOf(place).filter(({ command }) => command.includes("sleep"))).toEqual([]);
    await terminal.close();
  });

  test("says below the table why the system failed", async ({ place }) => {
    const bad = { command: ["sh", "-c", "echo the disk is full; exit 3"], restart: "temporary" };
    place.write("shop.json", { services: { bad } });
    const terminal = new Terminal(place);
    await terminal.shows(/^\$$/m);
    await terminal.press(upShop, "Enter");

    const last = await terminal.shows(/^code \d+$/m);

    expect(last).toMatch(/^ *bad +command +failed/m);
    expect(last).toMatch(
      /^colos: the last lines of bad:\n {2}\| the disk is full\ncolos: bad ended: exit code 3\ncode 1$/m,
    );
    expect(await terminal.modes()).toEqual({ cursor: true, wrap: true });
    await terminal.close();
  });
});
