/** Secrets: a real daemon with real services that have them; then everything that is on disk, on a command line or said. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished } from "vitest";
import { needsLinux } from "./debian.ts";
import { colosFile } from "./system/colos-process.ts";
import { turn } from "./system/turn.ts";

/** In no file, in no argument, in no answer. */
const value = "hunter2-of-the-secret";

function textOf(path: string): string {
  try {
    return statSync(path).isFile() ? readFileSync(path, "latin1") : "";
  } catch {
    return ""; // gone meanwhile
  }
}

/** Files below a folder that contain the value. */
function filesWithValue(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names.filter((name) => textOf(join(folder, name)).includes(value));
}

/** Pids of the OS processes whose command line or environment contains the text. */
function pidsWith(file: "cmdline" | "environ", text: string): number[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return pids.filter((pid) => pid !== process.pid && textOf(`/proc/${pid}/${file}`).includes(text));
}

describe("secrets", () => {
  needsLinux().test("reach the service, and nothing else", async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "colos-secrets-")));
    const home = join(folder, "home");
    const write = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text, { mode: 0o600 });
      return join(folder, name);
    };
    const told: string[] = [];
    const colos = (...words: string[]): Promise<string> =>
      new Promise((resolve) => {
        const env = { ...process.env, COLOS_HOME: home, NO_COLOR: "1" };
        execFile(process.execPath, [colosFile, ...words], { env, cwd: folder }, (_error, stdout, stderr) => {
          told.push(stdout, stderr);
          resolve(stdout);
        });
      });
    onTestFinished(async () => {
      await colos("down");
      while (pidsWith("cmdline", home).length > 0) await turn(); // the heart and the recorder end a moment later
      rmSync(folder, { recursive: true });
    });
    const show = write("show.sh", `echo ${value}`);
    const blab = write("blab.sh", `echo ${value}; echo ${value} >&2; exit 1`);
    write(".env", `FROM_FILE=${value}\n`);
    write("bad.env", `${value}\n`);
    const says = `echo has \${#KEY} \${#SHOWN} \${#FROM_FILE}; exec sleep 1000`;
    const never = { command: ["true"], restart: "temporary" };
    const services = {
      web: {
        command: ["sh", "-c", says],
        ready: { log: "has" },
        secrets: { KEY: { file: write("key", `${value}\n`) }, SHOWN: { exec: ["sh", show] } },
        envFiles: [".env"],
      },
      blabs: { ...never, secrets: { KEY: { exec: ["sh", blab] } } },
      lacks: { ...never, envFiles: ["bad.env"] },
    };
    write("colos.config.json", JSON.stringify({ services }));

    await colos("up");
    const logs = await colos("logs", "web");
    for (const words of [
      ["ps", "--json"],
      ["show", "web", "--json"],
      ["show", "blabs"],
      ["why", "blabs"],
      ["why", "lacks"],
    ])
      await colos(...words);

    expect(logs).toContain(`has ${value.length} ${value.length} ${value.length}`);
    expect(pidsWith("environ", value).length).toBeGreaterThan(0);
    expect(told.join("")).toContain("service blabs: the secret KEY is not there: the command sh failed: exit code 1");
    expect(told.join("")).toMatch(/bad\.env cannot be used: line 1: /);
    expect(told.filter((text) => text.includes(value))).toEqual([]);
    expect(filesWithValue(home)).toEqual([]);
    expect(pidsWith("cmdline", value)).toEqual([]);
  });
});
