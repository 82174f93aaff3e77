import { describe, expect, test } from "vitest";
import { reasonText } from "./reason-text.ts";

function thrown(name: string, message: string, ...frames: string[]): Error {
  const error = new Error(message);
  error.name = name;
  error.stack = `${name}: ${message}\n${frames.map((frame) => `    at ${frame}`).join("\n")}`;
  return error;
}

const here = (file: string): string => `${process.cwd()}/${file}`;

describe("reasonText", () => {
  test.each<[string, unknown, string]>([
    ["a code", { tag: "exitStatus", code: 3 }, "exit code 3"],
    ["an OS signal", { tag: "signal", name: "SIGKILL" }, "ended by SIGKILL"],
    ["an error of colos", thrown("PortInUseError", "port 1 is in use", here("a.ts:1:2")), "port 1 is in use"],
    ["a plain error without a place", thrown("Error", "no"), "no"],
    [
      "a function's frame",
      thrown("TypeError", "no", `f (file://${here("a b.ts").replace(" ", "%20")}:3:9)`),
      "TypeError: no (a b.ts:3)",
    ],
    ["a bare frame", thrown("Error", "no", `file://${here("a.ts")}:7:1`), "no (a.ts:7)"],
    ["an async frame", thrown("Error", "no", `async ${here("a.ts")}:7:1`), "no (a.ts:7)"],
    ["a file elsewhere", thrown("Error", "no", "f (/elsewhere/a.ts:7:1)"), "no (/elsewhere/a.ts:7)"],
    [
      "frames of Node and colos before it",
      thrown(
        "Error",
        "no",
        "x (node:internal/process/task_queues:95:5)",
        `y (${here("src/kernel/kernel.ts")}:1:1)`,
        `${here("b.ts")}:2:1`,
      ),
      "no (b.ts:2)",
    ],
    ["only frames of Node", thrown("Error", "no", "node:internal/process/task_queues:95:5"), "no"],
    ["an error without a message", thrown("Error", ""), "Error: "],
  ])("of %s", (_what, reason, text) => {
    expect(reasonText(reason)).toBe(text);
  });
});
