/**
 * The wire form and msgpack together: what arrives is what was sent.
 *
 * @module
 */
import { Packr } from "msgpackr";
import { describe, expect, test } from "vitest";
import { decode, encode, UncopyableError, type WireIdentities } from "./wire.ts";

const none = (): never => {
  throw new Error("no pid or ref is in these values");
};
const identities: WireIdentities = { exportPid: none, exportRef: none, importPid: none, importRef: none };
const packr = new Packr({ useRecords: true, mapsAsObjects: true });

function cross(value: unknown): unknown {
  return decode(packr.unpack(new Uint8Array(packr.pack(encode(value, identities)))), identities);
}

const same: readonly (readonly [string, unknown])[] = [
  ["undefined", [undefined, { a: undefined }]],
  ["minus zero", [-0, 0, { a: -0 }]],
  ["whole numbers at their limits", [2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 2 ** 63, 2 ** 64, 1e300]],
  ["not a number and infinities", [NaN, Infinity, -Infinity]],
  ["a lone surrogate", ["x\ud800y", "\udc00", "a\u{1f600}b"]],
  ["a lone surrogate in a key", { "\ud800": 1, b: { c: 2 } }],
  ["a key named __proto__", { x: JSON.parse('{"__proto__": {"y": 1}, "z": 2}') }],
  ["the codec's own mark", { "~": ["pid", "0", 1] }],
  ["empty keys and digits", { "": 1, 0: 2 }],
  ["dates, maps and sets", { at: new Date(5), map: new Map([[{ a: 1 }, new Set([1])]]) }],
  ["bytes and other views", [new Uint8Array([1, 2]), new Float64Array([0.5]), new Uint8Array(0)]],
  ["big integers", [2n ** 70n, -1n]],
];

describe("a value that crosses", () => {
  test.each(same)("keeps %s", (_, value) => {
    expect(cross(value)).toStrictEqual(value);
  });

  test("keeps an error with its name, stack, cause and extras", () => {
    const error = Object.assign(new TypeError("no", { cause: new Error("why") }), { code: "E_NO" });

    const arrived = cross(error) as TypeError & { code: string };

    expect(arrived).toBeInstanceOf(TypeError);
    expect([arrived.message, arrived.stack, arrived.code]).toEqual([error.message, error.stack, "E_NO"]);
    expect((arrived.cause as Error).message).toBe("why");
  });

  test("names the place of what cannot be copied", () => {
    expect(() => encode({ users: [{ save: () => {} }] }, identities)).toThrow(UncopyableError);
    expect(() => encode({ users: [{ save: () => {} }] }, identities)).toThrow("message.users[0].save is a function");
  });
});
