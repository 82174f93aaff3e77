import { describe, expect, test } from "vitest";
import { Feed, mapItems } from "./stream.ts";

function feed(itemsMax = 3): { readonly feed: Feed<string>; readonly left: () => number } {
  let left = 0;
  const made = new Feed<string>({
    itemsMax,
    missed: (count) => `${count} missed`,
    left: () => (left += 1),
  });
  return { feed: made, left: () => left };
}

const item = (value: string): IteratorResult<string> => ({ value, done: false });
const over: IteratorResult<string> = { value: undefined, done: true };

describe("feed", () => {
  test("gives items in order, to readings that wait and to those that come", async () => {
    const { feed: made } = feed();
    const first = made.next();

    for (const text of ["a", "b"]) made.push(text);

    expect([await first, await made.next()]).toEqual([item("a"), item("b")]);
  });

  test("leaves out what is beyond itemsMax, and says how many", async () => {
    const { feed: made } = feed(2);

    for (const text of ["a", "b", "c", "d"]) made.push(text);

    expect([await made.next(), await made.next(), await made.next()]).toEqual([item("a"), item("b"), item("2 missed")]);
  });

  test("is read to its end", async () => {
    const { feed: made, left } = feed();
    made.push("a");
    made.end();
    made.push("b");

    expect([await made.next(), await made.next(), await made.next()]).toEqual([item("a"), over, over]);
    expect(left()).toBe(1);
  });

  test.each(["end", "return"] as const)("%s ends a reading that waits", async (how) => {
    const { feed: made, left } = feed();
    const waiting = made.next();

    void made[how]();

    expect([await waiting, left()]).toEqual([over, 1]);
  });

  test("a reader that has left gets nothing more, and it is told once", async () => {
    const { feed: made, left } = feed();
    made.push("a");

    await made.return();
    await made.return();

    expect([await made.next(), left()]).toEqual([over, 1]);
  });
});

describe("mapItems", () => {
  test("leaving it leaves the source at once, also while an item is awaited", async () => {
    const { feed: made, left } = feed();
    const mapped = mapItems({ [Symbol.asyncIterator]: () => made }, Number)[Symbol.asyncIterator]();
    const waiting = mapped.next();

    await mapped.return!();

    expect([await waiting, left()]).toEqual([over, 1]);
  });

  test("the source is left when an item cannot be mapped", async () => {
    const { feed: made, left } = feed();
    const refuse = (): never => {
      throw new RangeError("no");
    };
    const mapped = mapItems({ [Symbol.asyncIterator]: () => made }, refuse)[Symbol.asyncIterator]();
    made.push("a");

    await expect(mapped.next()).rejects.toThrow(new RangeError("no"));
    expect(left()).toBe(1);
  });
});
