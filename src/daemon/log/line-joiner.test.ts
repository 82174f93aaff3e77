import { Buffer } from "node:buffer";
import { expect, test } from "vitest";
import { BackwardJoiner, ForwardJoiner, lookbackBytesMax } from "./line-joiner.ts";

const owner = { service: "web", instance: 1 };
const line = (second: number, stream: string, tag: string, text: string): Buffer =>
  Buffer.from(`2026-11-21T10:00:${String(second).padStart(2, "0")}Z ${stream} ${tag} ${text}`);

function forwards(lines: readonly Buffer[]): string[] {
  const joiner = new ForwardJoiner(owner);
  const entries = lines.flatMap((bytes) => joiner.take(bytes, 0, bytes.length) ?? []);
  return [...entries, ...joiner.rest()].map(({ text }) => text);
}

function backwards(lines: readonly Buffer[]): string[] {
  const joiner = new BackwardJoiner(owner);
  const entries = lines.toReversed().flatMap((bytes) => joiner.take(bytes, 0, bytes.length));
  return [...entries, ...joiner.rest()].map(({ text }) => text).toReversed();
}

test("pieces of two streams that take turns are joined, in the order in which the lines end", () => {
  const lines = [
    line(1, "stdout", "P", "a"),
    line(2, "stderr", "P", "1"),
    line(3, "stdout", "P", "b"),
    line(4, "stderr", "F", "2"),
    line(5, "stdout", "F", "c"),
    line(6, "stdout", "F", "d"),
    line(7, "stderr", "P", "open"),
  ];
  expect(forwards(lines)).toEqual(["12", "abc", "d", "open"]);
  expect(backwards(lines)).toEqual(["12", "abc", "d", "open"]);
});

test("reading backwards, a line does not wait for a stream that was silent for long", () => {
  const joiner = new BackwardJoiner(owner);
  const quiet = line(59, "stderr", "F", "the last");
  expect(joiner.take(quiet, 0, quiet.length)).toEqual([]);
  const loud = line(30, "stdout", "F", "x".repeat(1_000));
  const takes = Math.ceil(lookbackBytesMax / loud.length);
  let found: string | undefined;
  let takesCount = 0;
  while (found === undefined) {
    found = joiner.take(loud, 0, loud.length)[0]?.text;
    takesCount += 1;
  }
  expect(found).toBe("the last");
  expect(takesCount).toBeLessThanOrEqual(takes);
});
