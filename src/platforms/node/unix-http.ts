/**
 * Unix HTTP: requests to a server on a Unix socket, each on a connection of its own.
 *
 * Guarantees: `node:net` alone; loading `node:http` takes twice as long, and this is on the way of every command. A consumer that
 * leaves a stream, or does not read it, closes or holds the connection.
 * Limits: `answerBytesMax`, `lineBytesMax`, those of http-answer.ts.
 * Not here: what the paths mean (control/manager-client.ts).
 *
 * @module
 */
import { connect, type Socket } from "node:net";
import { HttpAnswerParser } from "./http-answer.ts";

/** Bytes of an answer that is not a stream. */
export const answerBytesMax = 67_108_864;
/** Bytes of one line of a stream. */
export const lineBytesMax = 16_777_216;
/** Lines of a stream that wait for their consumer before the connection is held. */
export const linesMax = 1000;

/** An answer. */
export interface UnixHttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** An answer line by line. */
export interface UnixHttpStream {
  readonly status: number;
  readonly lines: AsyncIterator<string>;
}

/** Requests to one socket; what control/manager-client.ts wants as its transport. */
export interface UnixHttp {
  readonly address: string;
  post(path: string, body: string): Promise<UnixHttpAnswer>;
  stream(path: string, body: string): Promise<UnixHttpStream>;
}

/** Requests to the server at `socketPath`. Nothing is opened before the first. */
export function unixHttp(socketPath: string): UnixHttp {
  return {
    address: socketPath,
    post: (path, body) => post(open(socketPath, path, body)),
    stream: (path, body) => stream(open(socketPath, path, body)),
  };
}

function open(socketPath: string, path: string, body: string): Socket {
  const socket = connect(socketPath);
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  return socket;
}

function post(socket: Socket): Promise<UnixHttpAnswer> {
  const parser = new HttpAnswerParser();
  const parts: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      socket.destroy();
      reject(error as Error);
    };
    const finish = (): void => {
      socket.destroy();
      resolve({ status: parser.head!.status, body: Buffer.concat(parts).toString() });
    };
    // A server that refuses a request does not read all of it, and writing the rest fails; its answer counts.
    let lost: Error | undefined;
    socket.on("error", (error) => (lost = error));
    socket.on("data", (chunk) => {
      try {
        for (const part of parser.push(chunk)) {
          parts.push(part);
          bytes += part.length;
        }
      } catch (error) {
        return fail(error);
      }
      if (bytes > answerBytesMax) fail(new Error(`the answer has more than ${answerBytesMax} bytes`));
      else if (parser.isComplete) finish();
    });
    socket.on("close", () => {
      try {
        parser.end();
        finish();
      } catch (error) {
        fail(lost ?? error);
      }
    });
  });
}

function stream(socket: Socket): Promise<UnixHttpStream> {
  const parser = new HttpAnswerParser();
  const lines = new Lines(socket);
  return new Promise((resolve, reject) => {
    const end = (error?: unknown): void => {
      lines.end(error);
      socket.destroy();
      reject((error ?? new Error("the connection ended before the answer")) as Error);
    };
    let lost: Error | undefined;
    socket.on("error", (error) => (lost = error));
    socket.on("data", (chunk) => {
      try {
        for (const part of parser.push(chunk)) lines.push(part);
      } catch (error) {
        return end(error);
      }
      if (parser.head !== undefined) resolve({ status: parser.head.status, lines });
      if (parser.isComplete) end();
    });
    socket.on("close", () => {
      try {
        parser.end();
        end();
      } catch (error) {
        end(lost ?? error);
      }
    });
  });
}

/** Lines that wait for one consumer. */
class Lines implements AsyncIterator<string> {
  readonly #socket: Socket;
  readonly #waiting: string[] = [];
  #partial: Buffer[] = [];
  #partialBytes = 0;
  #end: { readonly error: unknown } | undefined;
  #awake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  push(bytes: Buffer): void {
    let start = 0;
    for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, start)) {
      this.#partial.push(bytes.subarray(start, at));
      this.#waiting.push(Buffer.concat(this.#partial).toString());
      this.#partial = [];
      this.#partialBytes = 0;
      start = at + 1;
    }
    if (start < bytes.length) this.#partial.push(bytes.subarray(start));
    this.#partialBytes += bytes.length - start;
    if (this.#partialBytes > lineBytesMax) throw new Error(`a line has more than ${lineBytesMax} bytes`);
    if (this.#waiting.length > linesMax) this.#socket.pause();
    this.#wake();
  }

  end(error: unknown): void {
    this.#end ??= { error };
    this.#wake();
  }

  async next(): Promise<IteratorResult<string>> {
    while (this.#waiting.length === 0 && this.#end === undefined) {
      await new Promise<void>((resolve) => (this.#awake = resolve));
    }
    const value = this.#waiting.shift();
    if (this.#waiting.length === 0) this.#socket.resume();
    if (value !== undefined) return { value, done: false };
    if (this.#end?.error !== undefined) throw this.#end.error as Error;
    return { value: undefined, done: true };
  }

  return(): Promise<IteratorResult<string>> {
    this.#waiting.length = 0;
    this.#end = { error: undefined };
    this.#socket.destroy();
    this.#wake();
    return Promise.resolve({ value: undefined, done: true });
  }

  #wake(): void {
    this.#awake?.();
    this.#awake = undefined;
  }
}
