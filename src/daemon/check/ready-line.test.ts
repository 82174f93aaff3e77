import { Buffer } from "node:buffer";
import { describe, expect, test } from "vitest";
import { lineCharsMax, matchMaxMs, ReadyLines } from "./ready-line.ts";

/** Which of these chunks say it. */
function said(pattern: string, ...chunks: readonly (string | Buffer)[]): boolean[] {
  const lines = new ReadyLines(pattern);
  return [...chunks.map((chunk) => lines.take(Buffer.from(chunk))), lines.end()];
}

describe("a line that says that a service is ready", () => {
  test.each<[string, string, string]>([
    ["a text anywhere in the line", "listening on", "[12:00] listening on 8080\n"],
    ["an expression", "/listening on \\d+$/", "listening on 8080\n"],
    ["an expression with flags, also those that count", "/LISTENING/gi", "now listening\n"],
    ["a text between colour codes", "listening on 8080", "\u001B[32mlistening\u001B[39m on \u001B[1m8080\u001B[0m\n"],
    ["a path, which is no expression", "/var/log", "writing to /var/log\n"],
    ["an expression about the end of a line that ends in CR LF", "/ready$/", "ready\r\n"],
    ["one line of many", "ready", "one\ntwo\nready\nthree\n"],
  ])("is found by %s", (_, pattern, text) => {
    expect(said(pattern, "starting\n", text)).toEqual([false, true, false]);
  });

  test("may come in pieces, between the bytes of a letter too", () => {
    const bytes = Buffer.from("bereit für Anfragen\n");
    const cut = bytes.indexOf(0xc3) + 1;
    expect(said("für Anfragen", bytes.subarray(0, cut), bytes.subarray(cut), "more")).toEqual([
      false,
      true,
      false,
      false,
    ]);
  });

  test("is over at its end, and the last one needs none", () => {
    expect(said("ready now", "ready\n", "now\n", "ready", " now")).toEqual([false, false, false, false, true]);
    expect(said("/^ready$/", "not ", "ready\nready\n")).toEqual([false, true, false]);
  });

  test("is looked at to its limit, and keeps no more than that", () => {
    const long = "x".repeat(lineCharsMax - 5);
    expect(said("ready", `${long}ready\n`)).toEqual([true, false]);
    expect(said("ready", `${long}.ready\n`)).toEqual([false, false]);
    expect(said("ready", long, long, "ready\n", "ready\n")).toEqual([false, false, false, true, false]);
  });

  test("that an expression would look at for ever is a sentence", () => {
    const lines = new ReadyLines("/^(a+)+$/");
    expect(() => lines.take(Buffer.from(`${"a".repeat(60)}b\n`))).toThrow(
      `the readiness check /^(a+)+$/ took more than ${matchMaxMs} ms for what was written and is given up`,
    );
  });

  test("is none with a broken expression", () => {
    expect(() => new ReadyLines("/(/")).toThrow(SyntaxError);
  });
});
