/**
 * Key: any value by which something is found, compared by what it says.
 *
 * Strings, numbers, bigints, booleans, null, undefined, pids and refs are keys, and so are arrays and plain objects of
 * them, which are equal when their items are (the order of an object's properties does not count). `1` and `"1"` differ,
 * `0` and `-0` do not, and `NaN` is equal to itself.
 * Unlike Erlang: other values (dates, maps, instances of classes, functions) are no keys, because what makes them equal is
 * not in sight.
 *
 * @module
 */
import { Pid, Ref } from "../kernel/pid.ts";

/** Characters that a key may take as text: its own, and a few per item for type and length. Longer keys are refused. */
export const keyCharactersMax = 4096;
/** Levels of arrays and objects in a key at most. */
export const keyDepthMax = 64;
/** A string shorter by this fits for certain. */
const typeAndLengthMax = 8;

/** Starts the text of a structured key, so that it differs from every string. */
const structuredMark = "\0";

/**
 * A value that is the same for equal keys: for a Map or a Set.
 * @throws TypeError when `key` is none, or longer than `keyCharactersMax`.
 */
export function comparableKey(key: unknown): unknown {
  const isShort = typeof key === "string" && key.length <= keyCharactersMax - typeAndLengthMax;
  if (isShort && !key.startsWith(structuredMark)) return key;
  if (typeof key === "string" || (typeof key === "object" && key !== null && !(key instanceof Pid))) {
    return structuredMark + keyText(key);
  }
  if (typeof key === "symbol" || typeof key === "function") refuse(key);
  return key;
}

/** One text per key, the same for equal keys in every kernel. @throws TypeError as `comparableKey`. */
export function keyText(key: unknown): string {
  const text = new KeyText();
  text.add(key);
  return text.toString();
}

/** A whole number in [0, 2^32) from a key, the same in every kernel (FNV-1a). @throws TypeError as `comparableKey`. */
export function keyHash(key: unknown): number {
  const text = keyText(key);
  let hash = 0x81_1c_9d_c5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01_00_01_93);
  }
  return hash >>> 0;
}

class KeyText {
  #text = "";
  #depth = 0;

  add(key: unknown): void {
    switch (typeof key) {
      case "string":
        this.#write(`s${key.length}:${key}`);
        return;
      case "number":
        this.#write(`n${key} `);
        return;
      case "bigint":
        this.#write(`i${key} `);
        return;
      case "boolean":
        this.#write(key ? "t" : "f");
        return;
      case "undefined":
        this.#write("u");
        return;
      case "object":
        this.#addObject(key);
        return;
      default:
        refuse(key);
    }
  }

  #addObject(key: object | null): void {
    if (key === null) this.#write("0");
    else if (key instanceof Pid || key instanceof Ref) this.#write(String(key));
    else this.#addNested(key);
  }

  /** The limit also ends a key that contains itself. */
  #addNested(key: object): void {
    this.#depth += 1;
    if (this.#depth > keyDepthMax) throw new TypeError(`a key has at most ${keyDepthMax} levels`);
    if (Array.isArray(key)) this.#addArray(key);
    else this.#addRecord(key);
    this.#depth -= 1;
  }

  #addArray(key: readonly unknown[]): void {
    this.#write("[");
    for (const item of key) this.add(item);
    this.#write("]");
  }

  #addRecord(key: object): void {
    const prototype: unknown = Object.getPrototypeOf(key);
    if (prototype !== Object.prototype && prototype !== null) refuse(key);
    this.#write("{");
    for (const name of Object.keys(key).toSorted()) {
      this.add(name);
      this.add((key as Record<string, unknown>)[name]);
    }
    this.#write("}");
  }

  #write(text: string): void {
    this.#text += text;
    if (this.#text.length > keyCharactersMax) {
      throw new TypeError(`a key takes at most ${keyCharactersMax} characters as text; use a shorter one, or its hash`);
    }
  }

  toString(): string {
    return this.#text;
  }
}

function refuse(value: unknown): never {
  const what = typeof value === "object" ? (value?.constructor.name ?? "object") : typeof value;
  throw new TypeError(`a ${what} is no key: keys are strings, numbers, and plain objects and arrays of them`);
}
