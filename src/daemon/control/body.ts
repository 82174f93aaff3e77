/**
 * Body: reads the JSON of a request, within limits.
 *
 * Guarantees: no byte beyond `bytesMax` is kept; what all requests hold together is bounded by a `Budget`; nesting and values
 * are counted before the text is parsed, because a few megabytes of brackets or keys cost far more time and memory to parse
 * than to look at; of large bodies, however many come at a time, one part is looked at in each turn of the event loop, so that
 * they do not hold up the small ones.
 *
 * @module
 */
import type { IncomingMessage } from "node:http";
import { problem, type Problem } from "../../control/problem.ts";

/** Bytes that all bodies may take together. */
export class Budget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whether there was room; then the caller gives the bytes back. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** How much one body may take. */
export interface BodyLimits {
  readonly bytesMax: number;
  readonly depthMax: number;
  readonly valuesMax: number;
  readonly budget: Budget;
  /** Bytes of each body that do not count, so that large ones never keep small ones out. */
  readonly freeBytes: number;
  readonly turns: Turns;
}

/** Lets the event loop do its other work between any two of those who wait here, first come, first served. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  next(): Promise<void> {
    this.#last = this.#last.then(() => new Promise((resolve) => setImmediate(resolve)));
    return this.#last;
  }
}

/** What came; `isGone`: the client left before the end. */
export type Body = { readonly value: unknown } | { readonly problem: Problem } | { readonly isGone: true };

/** Reads and parses; an absent body is `{}`. Never rejects. */
export async function readBody(request: IncomingMessage, limits: BodyLimits): Promise<Body> {
  const { bytesMax, budget, freeBytes, turns } = limits;
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) return tooLarge(bytesMax);
  const chunks: Buffer[] = [];
  const measure = new Measure();
  let bytes = 0;
  let counted = 0;
  try {
    // Not `for await`, which would destroy the connection when the loop ends early, and with it the answer.
    for (;;) {
      const chunk = await nextChunk(request);
      if (chunk === undefined) break;
      if (bytes + chunk.length > bytesMax) return tooLarge(bytesMax);
      bytes += chunk.length;
      const more = Math.max(0, bytes - freeBytes) - counted;
      if (!budget.take(more)) return tooMuch();
      counted += more;
      chunks.push(chunk);
      if (more > 0) await turns.next();
      const excess = measure.take(chunk, limits);
      if (excess !== undefined) return { problem: excess };
    }
    if (counted > 0) await turns.next();
    return parse(Buffer.concat(chunks));
  } catch {
    return { isGone: true };
  } finally {
    budget.giveBack(counted);
  }
}

/** The next part of the body; undefined at its end. Rejects when the connection is lost. */
function nextChunk(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      const chunk = request.read() as Buffer | null;
      if (chunk === null && !request.readableEnded && !request.destroyed) return;
      for (const [event, listener] of listeners) request.off(event, listener);
      if (chunk !== null) resolve(chunk);
      else if (request.readableEnded && request.complete) resolve(undefined);
      else reject(new Error("the client left"));
    };
    const listeners = (["readable", "end", "error", "close"] as const).map((event) => [event, settle] as const);
    for (const [event, listener] of listeners) request.on(event, listener);
    settle();
  });
}

function parse(bytes: Buffer): Body {
  if (bytes.length === 0) return { value: {} };
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    const what = error instanceof SyntaxError ? error.message : "it is not UTF-8";
    return { problem: problem("invalid", `the body is not JSON: ${what}`) };
  }
}

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;

/** The nesting of lists and objects, and about how many values are in them, of a text that comes in parts. */
class Measure {
  #depth = 0;
  #values = 1;
  #isText = false;
  #isEscaped = false;

  /** What is too much, as soon as it is. */
  take(bytes: Buffer, { depthMax, valuesMax }: Pick<BodyLimits, "depthMax" | "valuesMax">): Problem | undefined {
    for (let index = 0; index < bytes.length; index += 1) {
      if (this.#isText) {
        index = this.#endOfText(bytes, index);
        continue;
      }
      const byte = bytes[index]!;
      if (byte === quote) this.#isText = true;
      else if (byte === 0x5b || byte === 0x7b) this.#depth += 1;
      else if (byte === 0x5d || byte === 0x7d) this.#depth -= 1;
      else if (byte === comma) this.#values += 1;
      if (this.#depth > depthMax) return problem("invalid", `the body is nested deeper than ${depthMax} levels`);
      if (this.#values > valuesMax) {
        return problem("invalid", `the body has more than ${valuesMax} values`, { status: 413 });
      }
    }
    return undefined;
  }

  /** Where the text ends, or the bytes. */
  #endOfText(bytes: Buffer, from: number): number {
    for (let index = from; index < bytes.length; index += 1) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (bytes[index] === backslash) this.#isEscaped = true;
      else if (bytes[index] === quote) {
        this.#isText = false;
        return index;
      }
    }
    return bytes.length;
  }
}

function tooLarge(bytesMax: number): Body {
  return { problem: problem("invalid", `the body has more than ${bytesMax} bytes`, { status: 413 }) };
}

function tooMuch(): Body {
  return { problem: problem("busy", "too many large requests are being read", { advice: "Try again in a moment." }) };
}
