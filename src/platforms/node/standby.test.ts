import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { needsLinux } from "../../../test/debian.ts";
import { awaitTurn, loadAhead } from "./standby.ts";

const folder = mkdtempSync(join(tmpdir(), "colos-standby-"));
const module = join(folder, "standby.mjs");
beforeAll(() =>
  build({
    entryPoints: [join(import.meta.dirname, "standby.ts")],
    outfile: module,
    bundle: true,
    platform: "node",
    format: "esm",
  }),
);
afterAll(() => rmSync(folder, { recursive: true }));

/** What a standby says whose file descriptor 3 is `file`; `seen` is told what it has said so far. */
async function said(file: number | "ignore", seen: (text: string) => void = () => {}): Promise<string> {
  const program = join(folder, "program.mjs");
  writeFileSync(
    program,
    `import { awaitTurn } from ${JSON.stringify(module)};
     console.log("waits");
     const told = () => console.log("turn", process.env.COLOS_STANDBY);
     await awaitTurn().then(told, ({ message }) => console.log("no turn:", message));`,
  );
  const child = spawn(process.execPath, [program], {
    stdio: ["ignore", "pipe", "inherit", file],
    env: { ...process.env, COLOS_STANDBY: file === "ignore" ? "99" : "3" },
  });
  let text = "";
  child.stdout!.setEncoding("utf8").on("data", (part: string) => {
    text += part;
    seen(text);
  });
  await once(child, "close");
  return text;
}

function withFifo<T>(use: (fd: number) => Promise<T>): Promise<T> {
  const fifo = join(folder, "go");
  rmSync(fifo, { force: true });
  execFileSync("mkfifo", [fifo]);
  const fd = openSync(fifo, "r+");
  return use(fd).finally(() => closeSync(fd));
}

const linux = needsLinux();
linux.describe("the turn of a standby", () => {
  linux.test("comes with a line that was written before it listens", () =>
    withFifo(async (fd) => {
      writeSync(fd, "go\n");
      expect(await said(fd)).toBe("waits\nturn undefined\n");
    }),
  );

  linux.test("comes with a line that is written later, and the second one is nobody's", () =>
    withFifo(async (fd) => {
      const tell = (text: string): void => {
        if (text === "waits\n") for (let count = 0; count < 2; count++) writeSync(fd, "go\n");
      };
      expect(await said(fd, tell)).toBe("waits\nturn undefined\n");
    }),
  );

  linux.test("never comes when what it waits on is not open, or at its end", async () => {
    expect(await said("ignore")).toMatch(/^waits\nno turn: /);
    const atEnd = openSync("/dev/null", "r");
    expect(await said(atEnd).finally(() => closeSync(atEnd))).toMatch(/^waits\nno turn: /);
  });
});

describe("who is no standby", () => {
  test("has its turn at once", async () => {
    await expect(awaitTurn()).resolves.toBeUndefined();
  });
});

test("what cannot be loaded ahead is passed over, and what follows is loaded", async () => {
  const [bad, good, required] = ["bad.mjs", "good.mjs", "required.cjs"].map((name) => join(folder, name));
  writeFileSync(bad!, "throw new Error('no');");
  writeFileSync(good!, "globalThis.loadedAhead = ['good'];");
  writeFileSync(required!, "globalThis.loadedAhead.push('required');");

  await loadAhead([`file://${bad}`, join(folder, "absent.cjs"), "node:nothing", `file://${good}`, required!]);

  expect((globalThis as { loadedAhead?: readonly string[] }).loadedAhead).toEqual(["good", "required"]);
});
