import { describe, expect, test } from "vitest";
import { tellingLine, tellingLines } from "./last-words.ts";

const dead = [
  "node:net:1937",
  "      const ex = new UVExceptionWithHostPort(err, 'listen', address, port);",
  "                 ^",
  "",
  "Error: listen EADDRINUSE: address already in use :::3000",
  "    at Server.setupListenHandle [as _listen2] (node:net:1937:16)",
  "    at start (/app/server.js:4:3)",
  "    at node:internal/main/run_main_module:28:49 {",
  "  code: 'EADDRINUSE',",
  "  port: 3000",
  "}",
  "",
  "Node.js v20.20.2",
];

describe("last words", () => {
  test("of a Node.js that died its own frames and its version are left out, so that the error is among the last lines", () => {
    expect(tellingLines(dead, 5)).toEqual([dead[4], dead[6], ...dead.slice(8, 11)]);
  });

  test.each([
    [dead, "Error: listen EADDRINUSE: address already in use :::3000"],
    [["Traceback (most recent call last):", "KeyError: 'x'", "bye"], "KeyError: 'x'"],
    [["panic: out of luck", "", "goroutine 1 [running]:"], "panic: out of luck"],
    [["loading", "  cannot open /data  ", " "], "cannot open /data"],
    [[" ", "Node.js v22.0.0"], undefined],
    [[], undefined],
  ])("%j tells most by %j", (lines, told) => {
    expect(tellingLine(lines)).toBe(told);
  });
});
