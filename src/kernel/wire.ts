/**
 * Wire form: what a value looks like while it crosses a carrier.
 *
 * Guarantees: encoding copies, so later changes by the sender are not seen (K2); a value that cannot be copied
 * throws `UncopyableError` in the sender, with the place inside the value, and nothing is sent (K3). Pids and refs
 * arrive as the receiving kernel's own objects, so `===` holds there too.
 * Copied: primitives, plain objects and arrays, Map, Set, Date, Error, ArrayBuffer and its views, pids, refs and
 * requests. Refused: functions, symbols, promises, weak collections and instances of other classes, which would
 * silently lose their methods. Cycles are refused too.
 * The wire form itself consists of null, undefined, booleans, numbers, strings, Uint8Array, arrays and
 * plain objects, so that both structured clone and msgpack carry it.
 *
 * @module
 */
import type { AnyPid, Ref } from "./pid.ts";
import { Request } from "./request.ts";
import { Pid, Ref as RefClass } from "./pid.ts";

/** A value in wire form. */
export type WireValue = unknown;

/** Marks a value that is not what it looks like: `{ [mark]: [kind, …] }`. */
const mark = "~";

/** Deepest nesting that is encoded; a deeper value is refused rather than overflowing the stack. */
export const wireDepthMax = 200;

/** The message cannot leave this carrier; thrown in the sender, and nothing was sent. */
export class UncopyableError extends Error {
  /** Where in the value, such as `message.users[2].save`. */
  readonly path: string;

  /** `path` null: the value itself. */
  constructor(path: string | null, what: string, remedy = "send plain data, pids or refs") {
    super(`${path ?? "the message"} is ${what} and cannot be copied to another carrier; ${remedy}`);
    this.name = "UncopyableError";
    this.path = path ?? "message";
  }
}

/** What a kernel does for the codec: identities in and out. */
export interface WireIdentities {
  exportPid(pid: AnyPid): void;
  exportRef(ref: Ref): void;
  importPid(kernelId: string, serial: number): AnyPid;
  importRef(kernelId: string, serial: number, owner: AnyPid): Ref;
}

/**
 * Copies `value` into wire form.
 * @throws UncopyableError
 */
export function encode(value: unknown, identities: WireIdentities, path = "message"): WireValue {
  countedBytes = 0;
  try {
    return encodeValue(value, identities, null, 0);
  } catch (refused) {
    if (!(refused instanceof UncopyableError)) throw refused;
    // Only now is it worth knowing the place.
    return encodeValue(value, identities, path, 0);
  }
}

/** Counted on the way, because a walk of its own would cost as much as the copy. */
let countedBytes = 0;

/** About how many bytes the value takes that was encoded last. */
export function encodedBytes(): number {
  return countedBytes;
}

/** What a number, a key or the frame of an object or array is counted as. */
const partBytes = 4;

/** The same for a value in wire form that came from elsewhere. */
export function estimatedBytes(wire: WireValue): number {
  if (typeof wire === "string") return partBytes + wire.length;
  if (typeof wire !== "object" || wire === null) return partBytes;
  if (wire instanceof Uint8Array) return partBytes + wire.length;
  let bytes = partBytes;
  for (const key in wire) bytes += estimatedBytes((wire as Record<string, unknown>)[key]);
  return bytes;
}

/** Where in the value; null while nobody asks. */
type Path = string | null;

function encodeValue(value: unknown, identities: WireIdentities, path: Path, depth: number): WireValue {
  switch (typeof value) {
    case "string":
      countedBytes += partBytes + value.length;
      return isWellFormed(value) ? value : { [mark]: ["utf16", utf16Of(value)] };
    case "number":
      countedBytes += partBytes;
      return Object.is(value, -0) ? { [mark]: ["-0"] } : value;
    case "boolean":
    case "undefined":
      countedBytes += partBytes;
      return value;
    case "bigint":
      countedBytes += partBytes * 2;
      return { [mark]: ["bigint", value.toString()] };
    case "function":
      throw new UncopyableError(path, "a function");
    case "symbol":
      throw new UncopyableError(path, "a symbol");
    default:
      if (value === null) return null;
      if (depth > wireDepthMax)
        throw new UncopyableError(path, `nested deeper than ${wireDepthMax} levels (or a cycle)`);
      countedBytes += partBytes;
      return encodeObject(value as object, identities, path, depth);
  }
}

function encodeObject(value: object, identities: WireIdentities, path: Path, depth: number): WireValue {
  if (Array.isArray(value)) {
    return encodeArray(value, identities, path, depth);
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    return encodeRecord(value as Record<string, unknown>, identities, path, depth);
  }
  if (value instanceof Pid) {
    identities.exportPid(value);
    return { [mark]: ["pid", value.kernelId, value.serial] };
  }
  if (value instanceof RefClass) {
    identities.exportRef(value);
    return { [mark]: ["ref", value.kernelId, value.serial, value.owner.kernelId, value.owner.serial] };
  }
  if (value instanceof Request) {
    const from = encodeValue(value.from, identities, path && `${path}.from`, depth + 1);
    return { [mark]: ["request", from, encodeValue(value.body, identities, path, depth + 1)] };
  }
  return encodeBuiltIn(value, identities, path, depth);
}

function encodeArray(value: readonly unknown[], identities: WireIdentities, path: Path, depth: number): WireValue {
  const copy: WireValue[] = [];
  for (let index = 0; index < value.length; index += 1) {
    copy.push(encodeValue(value[index], identities, path && `${path}[${index}]`, depth + 1));
  }
  return copy;
}

const { hasOwnProperty } = Object.prototype;

/** The most travelled way of all: `for … in` saves the array of keys, and the check for `own` costs nothing there. */
function encodeRecord(
  value: Record<string, unknown>,
  identities: WireIdentities,
  path: Path,
  depth: number,
): WireValue {
  const copy: Record<string, unknown> = {};
  let isMarked = false;
  for (const key in value) {
    if (!hasOwnProperty.call(value, key)) continue;
    if (key === "__proto__" || !isWellFormed(key)) return encodeEntries(value, identities, path, depth);
    if (key === mark) isMarked = true;
    copy[key] = encodeValue(value[key], identities, path && `${path}.${key}`, depth + 1);
  }
  return isMarked ? { [mark]: ["object", copy] } : copy;
}

/** Keys that msgpack or an assignment would change travel as values. */
function encodeEntries(
  value: Record<string, unknown>,
  identities: WireIdentities,
  path: Path,
  depth: number,
): WireValue {
  const inner = (item: unknown, where: string): WireValue =>
    encodeValue(item, identities, path && `${path}${where}`, depth + 1);
  return {
    [mark]: ["entries", Object.entries(value).map(([key, item]) => [inner(key, ".key"), inner(item, `.${key}`)])],
  };
}

/** Well-formed strings are the ones UTF-8 can say; Node 20 has this, the ES2023 types do not. */
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

function utf16Of(text: string): number[] {
  return Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
}

function encodeBuiltIn(value: object, identities: WireIdentities, path: Path, depth: number): WireValue {
  const inner = (item: unknown, where: string): WireValue =>
    encodeValue(item, identities, path && `${path}${where}`, depth + 1);
  if (value instanceof Error) return encodeError(value, inner);
  if (value instanceof Date) return { [mark]: ["date", value.getTime()] };
  if (value instanceof Map) {
    return { [mark]: ["map", [...value].map(([key, item]) => [inner(key, ".key"), inner(item, ".value")])] };
  }
  if (value instanceof Set) return { [mark]: ["set", [...value].map((item) => inner(item, ".item"))] };
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) countedBytes += value.byteLength;
  if (value instanceof ArrayBuffer) return { [mark]: ["buffer", new Uint8Array(value.slice(0))] };
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
    return value.constructor.name === "Uint8Array" ? bytes : { [mark]: ["view", value.constructor.name, bytes] };
  }
  throw new UncopyableError(path, `an instance of ${value.constructor?.name || "an unnamed class"}`);
}

/** Errors being encoded: one that comes again inside itself is told without its attachments. */
const openErrors: Error[] = [];

function encodeError(error: Error, inner: (item: unknown, where: string) => WireValue): WireValue {
  if (openErrors.includes(error)) return { [mark]: ["error", error.name, error.message, error.stack, undefined, {}] };
  // An error must be able to tell what happened even when something attached to it cannot travel.
  const attempt = (item: unknown, where: string): WireValue => {
    try {
      return inner(item, where);
    } catch {
      return undefined;
    }
  };
  openErrors.push(error);
  try {
    const extras: Record<string, WireValue> = {};
    const keys = new Set(error instanceof AggregateError ? ["errors", ...Object.keys(error)] : Object.keys(error));
    for (const key of keys) {
      if (ownOfErrors.has(key)) continue;
      const item = (error as unknown as Record<string, unknown>)[key];
      const encoded = attempt(item, `.${key}`);
      if (encoded !== undefined || item === undefined) extras[key] = encoded;
    }
    return { [mark]: ["error", error.name, error.message, error.stack, attempt(error.cause, ".cause"), extras] };
  } finally {
    openErrors.pop();
  }
}

const ownOfErrors = new Set(["name", "message", "stack", "cause"]);

/** The value that `encode` was given, with this kernel's own pids and refs. Takes `wire` over: it becomes the value. */
export function decode(wire: WireValue, identities: WireIdentities): unknown {
  return typeof wire === "object" && wire !== null ? decodeObject(wire, identities) : wire;
}

function decodeObject(wire: object, identities: WireIdentities): unknown {
  if (wire instanceof Uint8Array) return wire;
  if (Array.isArray(wire)) {
    for (let index = 0; index < wire.length; index += 1) {
      const item: unknown = wire[index];
      if (typeof item === "object" && item !== null) wire[index] = decodeObject(item, identities);
    }
    return wire;
  }
  const record = wire as Record<string, unknown>;
  const marked = record[mark];
  return marked === undefined ? decodeRecord(record, identities) : decodeMarked(marked as unknown[], identities);
}

function decodeRecord(record: Record<string, unknown>, identities: WireIdentities): unknown {
  for (const key in record) {
    const item = record[key];
    if (typeof item === "object" && item !== null) record[key] = decodeObject(item, identities);
  }
  return record;
}

function decodeEntries(entries: readonly (readonly [WireValue, WireValue])[], identities: WireIdentities): unknown {
  const decoded = entries.map(([key, item]) => [decode(key, identities), decode(item, identities)]);
  return Object.fromEntries(decoded as [string, unknown][]);
}

/** Whether the wire form is that of a request. */
export function isEncodedRequest(wire: WireValue): boolean {
  const marked = (wire as { readonly [mark]?: readonly unknown[] } | null | undefined)?.[mark];
  return marked?.[0] === "request";
}

function decodeMarked(marked: readonly unknown[], identities: WireIdentities): unknown {
  const [kind, first, second, third, fourth, fifth] = marked;
  switch (kind) {
    case "pid":
      return identities.importPid(first as string, second as number);
    case "ref": {
      const owner = identities.importPid(third as string, fourth as number);
      return identities.importRef(first as string, second as number, owner);
    }
    case "request":
      return new Request(decode(first, identities) as Ref, decode(second, identities));
    case "object":
      return decodeRecord(first as Record<string, unknown>, identities);
    case "entries":
      return decodeEntries(first as [WireValue, WireValue][], identities);
    case "utf16":
      return (first as number[]).map((unit) => String.fromCharCode(unit)).join("");
    case "-0":
      return -0;
    case "bigint":
      return BigInt(first as string);
    case "date":
      return new Date(first as number);
    case "map":
      return new Map(decode(first, identities) as [unknown, unknown][]);
    case "set":
      return new Set(decode(first, identities) as unknown[]);
    case "buffer":
      return (first as Uint8Array).slice().buffer;
    case "view":
      return decodeView(first as string, second as Uint8Array);
    case "error":
      return decodeError(
        first as string,
        second as string,
        third,
        decode(fourth, identities),
        decode(fifth, identities),
      );
    default:
      throw new Error(`unknown wire kind ${String(kind)}: the two sides run different versions of colos`);
  }
}

const viewTypes: Readonly<Record<string, new (buffer: ArrayBuffer) => object>> = {
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
};

/** A view of a type the receiver does not have (Node's Buffer) arrives as Uint8Array. */
function decodeView(type: string, bytes: Uint8Array): object {
  const View = viewTypes[type];
  return View === undefined ? bytes : new View(bytes.slice().buffer as ArrayBuffer);
}

const errorTypes: Readonly<Record<string, ErrorConstructor>> = {
  EvalError: EvalError as ErrorConstructor,
  RangeError: RangeError as ErrorConstructor,
  ReferenceError: ReferenceError as ErrorConstructor,
  SyntaxError: SyntaxError as ErrorConstructor,
  TypeError: TypeError as ErrorConstructor,
  URIError: URIError as ErrorConstructor,
};

function decodeError(name: string, message: string, stack: unknown, cause: unknown, extras: unknown): Error {
  const ErrorType = errorTypes[name] ?? Error;
  const error = cause === undefined ? new ErrorType(message) : new ErrorType(message, { cause });
  if (error.name !== name) Object.defineProperty(error, "name", { value: name, configurable: true, writable: true });
  Object.defineProperty(error, "stack", { value: stack, configurable: true, writable: true });
  return Object.assign(error, extras);
}
