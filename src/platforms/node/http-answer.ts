/**
 * HTTP answer: takes the bytes of one answer of HTTP/1.1 apart as they come.
 *
 * Guarantees: knows bodies with a length, in chunks, and up to the end of the connection; an answer that is cut off is never
 * taken for a whole one.
 * Limits: `headBytesMax`; trailers and other codings than chunked are not known, the daemon sends none.
 *
 * @module
 */

/** Bytes of the status line and the headers, and of the line before a chunk. */
export const headBytesMax = 16_384;

/** The head of an answer. */
export interface AnswerHead {
  readonly status: number;
  /** Names in small letters; of several of one name the last. */
  readonly headers: ReadonlyMap<string, string>;
}

/** How the rest of the body is delimited. */
type Framing = { kind: "length"; left: number } | { kind: "chunks"; left: number; isLast: boolean } | { kind: "close" };

const lineEnd = Buffer.from("\r\n");
const headEnd = Buffer.from("\r\n\r\n");

/** One answer. */
export class HttpAnswerParser {
  #rest: Buffer = Buffer.alloc(0);
  #framing: Framing | undefined;
  /** Present once it is there. */
  head: AnswerHead | undefined;
  /** The whole answer has been taken. */
  isComplete = false;

  /** Takes bytes and gives those of the body among them. @throws Error when they are no answer */
  push(bytes: Buffer): Buffer[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const body: Buffer[] = [];
    if (this.#framing === undefined && !this.#takeHead()) return body;
    while (!this.isComplete && this.#takeBody(body));
    return body;
  }

  /** The connection has ended. @throws Error when the answer is not whole */
  end(): void {
    if (this.#framing?.kind === "close") this.isComplete = true;
    if (!this.isComplete) throw new Error("the connection ended in the middle of the answer");
  }

  #takeHead(): boolean {
    const end = this.#rest.indexOf(headEnd);
    if (end < 0) {
      this.#assertShort("head");
      return false;
    }
    const [first = "", ...lines] = this.#rest.toString("latin1", 0, end).split("\r\n");
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1];
    if (status === undefined) throw new Error("what came is not an answer of HTTP/1.1");
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(":");
      headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    this.#rest = this.#rest.subarray(end + headEnd.length);
    this.head = { status: Number(status), headers };
    this.#framing = framingOf(this.head);
    return true;
  }

  /** Whether it may be called again. */
  #takeBody(body: Buffer[]): boolean {
    const framing = this.#framing!;
    if (framing.kind === "chunks") return this.#takeChunk(framing, body);
    const bytes = framing.kind === "close" ? this.#rest.length : Math.min(framing.left, this.#rest.length);
    this.#takeBytes(bytes, body);
    if (framing.kind === "length") {
      framing.left -= bytes;
      this.isComplete = framing.left === 0;
    }
    return false;
  }

  #takeChunk(framing: Extract<Framing, { kind: "chunks" }>, body: Buffer[]): boolean {
    if (framing.left > 0) {
      // A chunk ends with a line end of its own, which is counted but is no part of the body.
      const bytes = Math.min(framing.left, this.#rest.length);
      const data = Math.max(0, Math.min(bytes, framing.left - lineEnd.length));
      this.#takeBytes(data, body);
      this.#rest = this.#rest.subarray(bytes - data);
      framing.left -= bytes;
      if (framing.left === 0) this.isComplete = framing.isLast;
      return this.#rest.length > 0;
    }
    const end = this.#rest.indexOf(lineEnd);
    if (end < 0) {
      this.#assertShort("chunk");
      return false;
    }
    const size = /^[0-9a-f]+/i.exec(this.#rest.toString("latin1", 0, end))?.[0];
    if (size === undefined || size.length > 8) throw new Error("a chunk of the answer has no size");
    this.#rest = this.#rest.subarray(end + lineEnd.length);
    framing.left = Number.parseInt(size, 16) + lineEnd.length;
    framing.isLast = framing.left === lineEnd.length;
    return this.#rest.length > 0;
  }

  #takeBytes(bytes: number, body: Buffer[]): void {
    if (bytes > 0) body.push(this.#rest.subarray(0, bytes));
    this.#rest = this.#rest.subarray(bytes);
  }

  #assertShort(what: string): void {
    if (this.#rest.length > headBytesMax) throw new Error(`the ${what} of the answer has no end`);
  }
}

function framingOf({ status, headers }: AnswerHead): Framing {
  if (status === 204 || status === 304) return { kind: "length", left: 0 };
  if (headers.get("transfer-encoding")?.toLowerCase() === "chunked") return { kind: "chunks", left: 0, isLast: false };
  const length = headers.get("content-length");
  return length === undefined ? { kind: "close" } : { kind: "length", left: Number(length) };
}
