/** Wire form: every kind that crosses a carrier comes back as it was; what cannot cross is refused with its place. */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { World } from "../testing/world.ts";
import { Request } from "./request.ts";
import { decode, encode, UncopyableError, wireDepthMax, type WireIdentities } from "./wire.ts";

const none: WireIdentities = {
  exportPid: () => {},
  exportRef: () => {},
  importPid: () => {
    throw new Error("no pid was sent");
  },
  importRef: () => {
    throw new Error("no ref was sent");
  },
};

/** Through the wire and through structured clone, as a thread's channel does it. */
function cross(value: unknown): unknown {
  return decode(structuredClone(encode(value, none)), none);
}

const bytes = new Uint8Array([1, 2, 250]);

const kinds: Record<string, unknown> = {
  undefined,
  null: null,
  true: true,
  "a number": -1.5,
  "minus zero": -0,
  NaN: Number.NaN,
  Infinity,
  "a string": "häß\u0000\ud83d\ude00",
  "a bigint": -(2n ** 100n),
  "an array": [1, [2, []], undefined],
  "an object": { a: { b: [1] }, "": 0, c: undefined },
  "an object with the mark": { "~": ["pid", "0", 1], other: { "~": 1 } },
  "an object with __proto__ as a key": JSON.parse('{"__proto__": {"polluted": true}, "a": 1}'),
  "a Date": new Date(86_400_000),
  "a Map": new Map<unknown, unknown>([
    ["a", 1],
    [{ key: true }, new Map([[1n, null]])],
  ]),
  "a Set": new Set([1, "a", [2]]),
  "an ArrayBuffer": bytes.slice().buffer,
  "a Uint8Array": bytes,
  "a part of a buffer": new Uint8Array(new Uint8Array(100).fill(7).buffer, 10, 5),
  "an Int8Array": new Int8Array([-1, 2]),
  "a Uint8ClampedArray": new Uint8ClampedArray([300, 2]),
  "an Int16Array": new Int16Array([-300]),
  "a Uint16Array": new Uint16Array([300]),
  "an Int32Array": new Int32Array([-70_000]),
  "a Uint32Array": new Uint32Array([70_000]),
  "a Float32Array": new Float32Array([0.5]),
  "a Float64Array": new Float64Array([0.1]),
  "a BigInt64Array": new BigInt64Array([-5n]),
  "a BigUint64Array": new BigUint64Array([5n]),
  "a DataView": new DataView(bytes.slice().buffer),
  "what is inside others": { list: [new Map([["when", new Set([new Date(0)])]])] },
};

describe("wire form", () => {
  test.each(Object.entries(kinds))("%s comes back as it was", (_, value) => {
    const copy = cross(value);

    expect(copy).toStrictEqual(value);
    expect(Object.getPrototypeOf(Object(copy))).toBe(Object.getPrototypeOf(Object(value)));
  });

  test("an object without a prototype comes back as a plain one", () => {
    expect(cross(Object.assign(Object.create(null), { a: 1 }))).toStrictEqual({ a: 1 });
  });

  test("a Node.js Buffer arrives as a Uint8Array", () => {
    expect(cross(Buffer.from("abc"))).toStrictEqual(new Uint8Array([97, 98, 99]));
  });

  test("a hole in an array arrives as undefined", () => {
    const holed: unknown[] = [1];
    holed[2] = 3;

    expect(cross(holed)).toStrictEqual([1, undefined, 3]);
  });

  test.each([
    new Error("plain"),
    new TypeError("typed"),
    new RangeError("with a cause", { cause: new Error("the cause") }),
    Object.assign(new Error("with extras"), { code: "ENOENT", errno: -2, details: { path: "/x" } }),
    new (class Own extends Error {
      override name = "Own";
      field = new Map([[1, 2]]);
    })("of a class"),
    new AggregateError([new Error("one"), "two"], "several"),
  ])("an Error keeps name, message, stack, cause and what is attached: $message", (error) => {
    const copy = cross(error) as Error & Record<string, unknown>;

    expect(copy).toBeInstanceOf(Error);
    expect([copy.name, copy.message, copy.stack]).toEqual([error.name, error.message, error.stack]);
    expect(copy.cause).toStrictEqual(error.cause);
    for (const [key, value] of Object.entries(error)) expect(copy[key]).toStrictEqual(value);
    expect(copy["errors"]).toStrictEqual((error as Partial<AggregateError>).errors);
  });

  test("a built-in kind of Error arrives as that kind", () => {
    expect(cross(new RangeError("x"))).toBeInstanceOf(RangeError);
  });

  test("an Error whose attachments cannot be copied arrives without them", () => {
    const error = Object.assign(new Error("x", { cause: Symbol("no") }), { retry: () => {}, code: 1 });

    const copy = cross(error) as Error & { code: number };

    expect([copy.message, copy.code, copy.cause, "retry" in copy]).toEqual(["x", 1, undefined, false]);
  });

  test("Errors that point at each other arrive, in reasonable time", () => {
    const errors = Array.from({ length: 3 }, (_, index) => new Error(String(index)) as Error & Record<string, unknown>);
    for (const error of errors) {
      errors.forEach((other, index) => {
        error[`peer${index}`] = other;
        error[`wrapped${index}`] = { other };
      });
    }

    expect(cross(errors[0])).toMatchObject({ message: "0", peer1: { message: "1", peer2: { message: "2" } } });
  });

  test("what was encoded does not change with the original (K2)", () => {
    const original = { list: [1], map: new Map([["a", [1]]]), data: new Uint8Array([1]) };

    const wire = encode(original, none);
    original.list.push(2);
    original.map.get("a")?.push(2);
    original.data[0] = 9;

    expect(decode(wire, none)).toStrictEqual({ list: [1], map: new Map([["a", [1]]]), data: new Uint8Array([1]) });
  });

  class Account {
    balance = 1;
  }
  const cycle: unknown[] = [];
  cycle.push(cycle);

  test.each([
    [{ users: [0, 1, { save: () => {} }] }, "message.users[2].save", "a function"],
    [Symbol("x"), "message", "a symbol"],
    [[new Account()], "message[0]", "an instance of Account"],
    [{ a: Promise.resolve() }, "message.a", "an instance of Promise"],
    [{ a: new WeakMap() }, "message.a", "an instance of WeakMap"],
    [{ a: /x/ }, "message.a", "an instance of RegExp"],
    [new Map([["k", () => {}]]), "message.value", "a function"],
    [new Map([[Symbol("s"), 1]]), "message.key", "a symbol"],
    [new Set([() => {}]), "message.item", "a function"],
    [{ shared: new SharedArrayBuffer(1) }, "message.shared", "an instance of SharedArrayBuffer"],
  ])("%# is refused with its place", (value, path, what) => {
    expect(() => encode(value, none)).toThrow(new UncopyableError(path, what));
    expect(() => encode(value, none)).toThrow(`${path} is ${what} and cannot be copied`);
  });

  test("a cycle is refused", () => {
    expect(() => encode(cycle, none)).toThrow(/or a cycle/);
  });

  test("nesting is limited, not the stack", () => {
    const nest = (depth: number): unknown => (depth === 0 ? 1 : [nest(depth - 1)]);

    expect(cross(nest(wireDepthMax))).toStrictEqual(nest(wireDepthMax));
    expect(() => encode(nest(wireDepthMax + 2), none)).toThrow(UncopyableError);
  });

  test("a wire kind of another version is an error that says so", () => {
    expect(() => decode({ "~": ["hologram", 1] }, none)).toThrow("different versions of colos");
  });

  test("pids and refs arrive as the receiver's own objects", () => {
    const { self } = new World();
    const ref = self.alias();
    const known: WireIdentities = {
      ...none,
      importPid: (kernelId, serial) => {
        expect([kernelId, serial]).toEqual(["0", self.pid.serial]);
        return self.pid;
      },
      importRef: (kernelId, serial, owner) => {
        expect([kernelId, serial, owner]).toEqual(["0", ref.serial, self.pid]);
        return ref;
      },
    };

    const wire = structuredClone(encode([self.pid, new Request(ref, { list: [ref] })], known));

    const [pid, request] = decode(wire, known) as [unknown, Request];
    expect(pid).toBe(self.pid);
    expect(request).toBeInstanceOf(Request);
    expect([request.from, (request.body as { list: unknown[] }).list[0]]).toEqual([ref, ref]);
  });

  const leaf = fc.oneof(
    fc.string(),
    fc.double(),
    fc.boolean(),
    fc.bigInt(),
    fc.constantFrom(null, undefined),
    // Not the invalid date: for isDeepStrictEqual it is not equal to itself.
    fc.date({ noInvalidDate: true }),
    fc.uint8Array(),
    fc.float64Array(),
  );
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: "small", maxDepth: 5 },
      leaf,
      fc.array(tie("tree")),
      fc.dictionary(fc.oneof(fc.string(), fc.constantFrom("~", "__proto__", "constructor")), tie("tree"), {
        noNullPrototype: true,
      }),
      fc.array(fc.tuple(leaf, tie("tree"))).map((entries) => new Map(entries)),
      fc.array(leaf).map((items) => new Set(items)),
    ),
  }));

  test("any tree of supported kinds comes back as it was", () => {
    fc.assert(
      fc.property(tree, (value) => isDeepStrictEqual(cross(value), value)),
      { numRuns: 500 },
    );
  });
});
