import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LineFormatter, parseCriLine, pieceBytesMax, timeText, type Chunk } from "./cri-format.ts";

const at = Date.UTC(2026, 10, 21, 10, 6, 20, 123) * 1000 + 456;
const head = "2026-11-21T10:06:20.123456Z stdout";

/** What the chunks become, the last one being the end. */
function format(chunks: readonly Buffer[], limitBytes = 262_144): string {
  const formatter = new LineFormatter("stdout");
  const out = Buffer.alloc(262_144);
  let text = "";
  for (const [index, bytes] of chunks.entries()) {
    const rest = index === chunks.length - 1 ? "end" : "keep";
    const chunk: Chunk = { bytes, start: 0, end: bytes.length, at, rest };
    for (
      let size = formatter.format(chunk, out, limitBytes);
      size > 0;
      size = formatter.format(chunk, out, limitBytes)
    ) {
      text += out.toString("latin1", 0, size);
    }
  }
  return text;
}

/** What was written, of lines in the format. */
function payload(text: string): string {
  const bytes = Buffer.from(text, "latin1");
  let all = "";
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(10, start);
    const line = parseCriLine(bytes, start, end)!;
    all += bytes.toString("latin1", line.textStart, line.textEnd) + (line.isFinished ? "\n" : "");
    start = end + 1;
  }
  return all;
}

describe("lines", () => {
  test("have the time, the stream and a tag", () => {
    expect(format([Buffer.from("one\n\ntwo")])).toBe(`${head} F one\n${head} F \n${head} F two\n`);
  });

  test("that come in parts are one line", () => {
    expect(format([Buffer.from("o"), Buffer.from("ne\ntw"), Buffer.from("o\n")])).toBe(
      `${head} F one\n${head} F two\n`,
    );
  });

  test("longer than a piece are several pieces", () => {
    const [first, second, ...rest] = format([Buffer.from("x".repeat(pieceBytesMax + 1))]).split("\n");
    expect([first, second, rest]).toEqual([`${head} P ${"x".repeat(pieceBytesMax)}`, `${head} F x`, [""]]);
  });

  test("keep every byte, however they are cut and whatever fits", () => {
    const byte = fc.oneof(fc.constant(10), fc.constant(0), fc.constant(255), fc.integer({ min: 0, max: 255 }));
    const chunk = fc.oneof(
      fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
      fc.array(byte, { maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
      fc.nat(2 * pieceBytesMax).map((length) => Buffer.alloc(length, "x")),
    );
    fc.assert(
      fc.property(
        fc.array(chunk, { minLength: 1, maxLength: 10 }),
        fc.integer({ min: 1, max: 262_144 }),
        (chunks, limit) => {
          const all = Buffer.concat(chunks).toString("latin1");
          const ended = all === "" || all.endsWith("\n") ? all : `${all}\n`;
          expect(payload(format(chunks, limit))).toBe(ended);
        },
      ),
    );
  });
});

describe("a line that is none", () => {
  test.each([
    "",
    "text",
    "2026 stdout F",
    "2026-11-21T10:06:20Z stdin F x",
    "2026-11-21T10:06:20Z stdout X x",
    "yesterday at10 stdout F x",
  ])("is told from one: %j", (text) => {
    expect(parseCriLine(Buffer.from(text), 0, text.length)).toBe(undefined);
  });

  test("is not one with an empty text", () => {
    const line = "2026-11-21T10:06:20Z stdout F";
    expect(parseCriLine(Buffer.from(line), 0, line.length)).toMatchObject({
      isFinished: true,
      textStart: 29,
      textEnd: 29,
    });
  });
});

test("a time has microseconds", () => {
  expect(timeText(at)).toBe("2026-11-21T10:06:20.123456Z");
  expect(timeText(at - 456)).toBe("2026-11-21T10:06:20.123000Z");
});
