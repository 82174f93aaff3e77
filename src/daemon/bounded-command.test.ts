import { tmpdir } from "node:os";
import { describe, expect, test } from "vitest";
import { needsLinux } from "../../test/debian.ts";
import { quoteMaxChars, runCommand, type Command, type CommandOptions } from "./bounded-command.ts";

const sh = (script: string): Command => ["/bin/sh", "-c", script];
const run = async (script: string, options: Partial<CommandOptions> = {}) => {
  const end = await runCommand(sh(script), { cwd: tmpdir(), env: { PATH: process.env["PATH"] }, ...options });
  return { ...end, output: end.output.toString() };
};

describe("bounded command", () => {
  test("its output, its last words and its exit code are known", async () => {
    expect(await run("echo out; echo one >&2; echo two >&2; exit 3", { outputMaxBytes: 100 })).toEqual({
      isOk: false,
      how: "exit code 3",
      output: "out\n",
      lastWords: "two",
    });
  });

  test("as much output as is wanted is fine, one byte more is not", async () => {
    const exact = await run("printf 12345", { outputMaxBytes: 5 });
    const more = await run("printf 123456; exec sleep 1000", { outputMaxBytes: 5 });

    expect(exact).toMatchObject({ isOk: true, output: "12345" });
    expect(more).toMatchObject({ isOk: false, how: "it wrote more than 5 bytes", output: "12345" });
  });

  test("stdout goes nowhere when it is not wanted", async () => {
    expect(await run("yes | head -c 1000000")).toMatchObject({ isOk: true, output: "" });
  });

  test("an abort and the time kill it", async () => {
    const abort = AbortSignal.abort();

    expect(await run("exec sleep 1000", { signal: abort })).toMatchObject({ isOk: false, how: "it was stopped" });
    expect(await run("exec sleep 1000", { timeoutMs: 30 })).toMatchObject({ how: "still running after 30 ms" });
  });

  test("last words are shortened and have no control characters", async () => {
    const { lastWords } = await run("printf '\\033[31m' >&2; yes | head -c 2000 | tr -d '\\n' >&2; exit 1");

    expect(lastWords).toMatch(/^y+…$/);
    expect(lastWords).toHaveLength(quoteMaxChars);
  });

  needsLinux().test("somebody outside the group who holds the wanted output open makes it fail", async () => {
    const untilItLeft = "while read -r _ _ _ _ group _ < /proc/$!/stat && [ $group != $! ]; do :; done";
    const { isOk, how, output } = await run(`setsid sleep 3 & ${untilItLeft}; printf part`, { outputMaxBytes: 100 });

    expect({ isOk, how, output }).toEqual({ isOk: false, how: "its stdout stayed open after its end", output: "part" });
  });

  test("a command that is not there rejects with the OS's error", async () => {
    await expect(runCommand(["/not/there"], { cwd: tmpdir(), env: {} })).rejects.toMatchObject({ code: "ENOENT" });
  });
});
