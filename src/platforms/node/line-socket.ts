/**
 * Line socket: one question and one answer over a Unix socket, each a line of JSON, on a connection of its own.
 *
 * Guarantees: a question is answered once or its connection is closed; who asks hears within its time, whatever the other side
 * does, and no socket or timer is left then. Only the user that serves may open the socket (mode 0600).
 * Limits: `questionBytesMax`, `answerBytesMax`, `connectionsMax`.
 *
 * @module
 */
import { chmodSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Bytes of a question as JSON. */
export const questionBytesMax = 131_072;
/** Bytes of an answer as JSON. */
export const answerBytesMax = 1_048_576;
/** Who is served at a time; others are turned away. */
export const connectionsMax = 64;

/** Nobody was there, or no answer came. The message is what was seen, such as `ENOENT`. */
export class LineSocketError extends Error {
  override readonly name = "LineSocketError";
  /** The OS's code; `ETIMEDOUT` when the time was over. */
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** Answers what is asked at `path`; a file that is there is replaced. Rejects with what the OS refuses. */
export function serveLines(path: string, answer: (question: unknown) => Promise<unknown>): Promise<Server> {
  const server = createServer((socket) => serveOne(socket, answer));
  server.maxConnections = connectionsMax;
  rmSync(path, { force: true });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      server.off("error", reject).on("error", () => {}); // EMFILE: who asks is told that nobody answers
      resolve(server);
    });
  });
}

function serveOne(socket: Socket, answer: (question: unknown) => Promise<unknown>): void {
  socket.on("error", () => {}); // whoever asked has gone
  readLine(socket, questionBytesMax, (line) => {
    const question = parsed(line);
    if (question === undefined) return socket.destroy();
    void answer(question.value).then(
      (value) => socket.end(`${JSON.stringify(value)}\n`),
      () => socket.destroy(),
    );
    return undefined;
  });
}

export interface AskLine {
  readonly timeoutMs: number;
  /** Ends the wait; the rejection is its reason. */
  readonly signal?: AbortSignal;
}

/** Asks whoever serves at `path`. @throws LineSocketError */
export function askLine(path: string, question: unknown, { timeoutMs, signal }: AskLine): Promise<unknown> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return void reject(signal.reason as Error);
    const socket = connect(path);
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
      socket.destroy();
      act();
    };
    const fail = (message: string, code: string): void => settle(() => reject(new LineSocketError(message, code)));
    const aborted = (): void => settle(() => reject(signal?.reason as Error));
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`, "ETIMEDOUT"), timeoutMs);
    signal?.addEventListener("abort", aborted);
    socket.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message, error.code ?? "EIO"));
    socket.on("close", () => fail("the connection was closed without an answer", "ECONNRESET"));
    socket.write(`${JSON.stringify(question)}\n`);
    readLine(socket, answerBytesMax, (line) => {
      const answer = parsed(line);
      if (answer === undefined) fail("the answer is no JSON", "EPROTO");
      else settle(() => resolve(answer.value));
    });
    return undefined;
  });
}

/** Calls `take` with the first line; a longer one than `bytesMax` closes the connection. */
function readLine(socket: Socket, bytesMax: number, take: (line: string) => void): void {
  const parts: Buffer[] = [];
  let length = 0;
  const read = (part: Buffer): void => {
    const end = part.indexOf(10);
    length += end === -1 ? part.length : end;
    if (length > bytesMax) return void socket.destroy();
    parts.push(end === -1 ? part : part.subarray(0, end));
    if (end === -1) return undefined;
    socket.off("data", read);
    socket.resume();
    return take(Buffer.concat(parts).toString());
  };
  socket.on("data", read);
}

function parsed(line: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(line) as unknown };
  } catch {
    return undefined;
  }
}
