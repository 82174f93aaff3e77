import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Budget, readBody, Turns, type BodyLimits } from "./body.ts";

const limits: Omit<BodyLimits, "budget" | "turns"> = {
  bytesMax: 1000,
  depthMax: 3,
  valuesMax: 10,
  freeBytes: 8,
};

function request(parts: readonly string[]): IncomingMessage {
  const source = Readable.from(parts.map((part) => Buffer.from(part, "latin1")));
  return Object.assign(source, { headers: {}, complete: true }) as unknown as IncomingMessage;
}

async function outcome(parts: readonly string[], budget = new Budget(1000)): Promise<unknown> {
  const body = await readBody(request(parts), { ...limits, budget, turns: new Turns() });
  return "problem" in body ? body.problem.detail : body;
}

/** Cut at these places. */
function cut(text: string, places: readonly number[]): string[] {
  const sorted = places.map((place) => place % (text.length + 1)).toSorted((a, b) => a - b);
  return [0, ...sorted].map((from, at) => text.slice(from, sorted[at] ?? text.length)).filter((part) => part !== "");
}

const texts = [
  ['{"a":[1,2,{"b":"[[[[,,,,"}]}', { value: { a: [1, 2, { b: "[[[[,,,," }] } }],
  ['{"a\\"[[[[":"\\\\"}', { value: { 'a"[[[[': "\\" } }],
  ["[[[[]]]]", "the body is nested deeper than 3 levels"],
  ['{"a":"\\\\","b":[[[1]]]}', "the body is nested deeper than 3 levels"],
  ["[0,1,2,3,4,5,6,7,8,9]", { value: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] }],
  ["[0,1,2,3,4,5,6,7,8,9,10]", "the body has more than 10 values"],
] as const;

test.each(texts)("%s means the same in whatever parts it comes", async (text, expected) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(100), { maxLength: 8 }), async (places) => {
      expect(await outcome(cut(text, places))).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});

test("what is too much is refused before the rest has come", async () => {
  const source = request(["[".repeat(10)]) as unknown as Readable;
  const endless = Object.assign(
    Readable.from(
      (async function* () {
        for await (const part of source) yield part as Buffer;
        await new Promise(() => {});
      })(),
    ),
    { headers: {}, complete: false },
  ) as unknown as IncomingMessage;

  const body = await readBody(endless, { ...limits, budget: new Budget(1000), turns: new Turns() });

  expect(body).toMatchObject({ problem: { detail: "the body is nested deeper than 3 levels" } });
});

test("parts of large bodies take turns, with the event loop's other work in between", async () => {
  const turns = new Turns();
  const order: string[] = [];
  const first = turns.next().then(() => {
    order.push("first");
    setImmediate(() => order.push("other"));
  });
  const second = turns.next().then(() => order.push("second"));

  await Promise.all([first, second]);

  expect(order).toEqual(["first", "other", "second"]);
});

test("the room that bodies took is given back", async () => {
  const budget = new Budget(20);
  const large = ['"0123456789', '0123456"'];

  expect([await outcome(large, budget), await outcome(large, budget)]).toEqual([
    { value: "01234567890123456" },
    { value: "01234567890123456" },
  ]);
});
