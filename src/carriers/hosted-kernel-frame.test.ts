/**
 * Frames on a byte stream that arrives in any pieces.
 *
 * @module
 */
import { assert, property, array, constantFrom, integer, uint8Array } from "fast-check";
import { describe, expect, test } from "vitest";
import { MessageTooLargeError } from "../kernel/signal.ts";
import { frameMaxBytes, frameOf, FrameReader, packItems, unpackItems } from "./hosted-kernel-frame.ts";
import type { Item } from "./hosted-kernel.ts";

function message(value: unknown): Item {
  return ["message", "0.1", 1, value];
}

function collect(): { readonly items: Item[]; readonly reader: FrameReader } {
  const items: Item[] = [];
  return { items, reader: new FrameReader((some) => items.push(...inSingles(some))) };
}

/** Rows as the messages they are made of. */
function inSingles(items: readonly Item[]): Item[] {
  return items.flatMap((item): readonly Item[] =>
    item[0] === "messages" ? item[3].map((value): Item => ["message", item[1], item[2], value]) : [item],
  );
}

describe("frames", () => {
  test("arrive whole and in order, however the stream is cut", () => {
    const value = constantFrom<unknown>("text", -1.5, null, undefined, true, { a: 1, b: { c: [] } }, { a: 2 });
    const sizes = array(integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 });
    assert(
      property(array(array(value, { maxLength: 30 })), sizes, (turns, sizes) => {
        const sent = turns.flat().map(message);
        const frames = turns.map((values) => Buffer.from(frameOf(values.map(message))));
        const { items, reader } = collect();
        const bytes = Buffer.concat(frames);

        for (let start = 0, turn = 0; start < bytes.length; turn += 1) {
          const size = sizes[turn % sizes.length] as number;
          reader.push(bytes.subarray(start, start + size));
          start += size;
        }

        expect(items).toEqual(sent);
      }),
    );
  });

  test("carry bytes as Uint8Array that shares no memory with the stream", () => {
    assert(
      property(uint8Array({ maxLength: 100 }), integer({ min: 1, max: 40 }), (data, count) => {
        const stream = frameOf(Array.from({ length: count }, () => message(data)));
        const { items, reader } = collect();

        reader.push(stream);
        stream.fill(0xff);

        expect(items).toEqual(Array.from({ length: count }, () => message(data)));
        expect((items[0] as readonly unknown[])[3]?.constructor).toBe(Uint8Array);
      }),
    );
  });

  test("are told with what they took of the stream", () => {
    const sizes: number[] = [];
    const frames = ["x", "x".repeat(100_000)].map((text) => Buffer.from(frameOf([message(text)])));

    new FrameReader((_items, sizeBytes) => sizes.push(sizeBytes)).push(Buffer.concat(frames));

    expect(sizes).toEqual(frames.map((frame) => frame.length));
  });

  test("keep nothing of the buffer they are read from", () => {
    const { items, reader } = collect();
    const stream = Buffer.concat(["x".repeat(100), "y"].map((text) => Buffer.from(frameOf([message(text)]))));
    const buffer = Buffer.alloc(10);

    for (let start = 0; start < stream.length; start += buffer.length) {
      const size = stream.copy(buffer, 0, start, start + buffer.length);
      reader.push(buffer.subarray(0, size));
    }

    expect(items).toEqual([message("x".repeat(100)), message("y")]);
  });

  test("refuse an item that is too large", () => {
    expect(() => frameOf([message(new Uint8Array(frameMaxBytes))])).toThrow(MessageTooLargeError);
  });

  test("that announce too much, or hold no items, are refused", () => {
    expect(() => collect().reader.push(Buffer.from([255, 255, 255, 255]))).toThrow("a frame of 4294967295 bytes");
    expect(() => collect().reader.push(Buffer.from([1, 0, 0, 0, 5]))).toThrow("no array");
    expect(() => collect().reader.push(Buffer.from("GET / HTTP/1.1\r\n"))).toThrow("a frame of");
  });
});

describe("packed items", () => {
  test("are the same items", () => {
    const items = Array.from({ length: 20 }, (_, index) => message({ index, data: new Uint8Array([index]) }));
    expect(inSingles(unpackItems(packItems(items)))).toEqual(items);
  });

  test("in a row to one process name it once; a row ends with any other signal", () => {
    const other: Item = ["message", "0.1", 2, "c"];
    const down: Item = ["down", "0.1", 1, null];
    const items = [message("a"), message("b"), other, message("d"), down, message("e")];

    expect(unpackItems(packItems(items))).toEqual([
      ["messages", "0.1", 1, ["a", "b"]],
      ["messages", "0.1", 2, ["c"]],
      ["messages", "0.1", 1, ["d"]],
      down,
      ["messages", "0.1", 1, ["e"]],
    ]);
  });
});
