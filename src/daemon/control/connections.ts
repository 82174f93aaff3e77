/**
 * Connections: how many there are, what each of them does, and their ends.
 *
 * Guarantees: never more than `connectionsMax`: one more closes the one that has been without a whole request longest, so that
 * clients which connect and dawdle cannot keep others out; only when every connection has an answer under way is the new one
 * turned away. A client that does not take its answer within `answerTimeoutMs` loses its connection. What a connection asks without waiting
 * for answers (HTTP pipelining) is carried out one after the other, with a turn for all others in between; beyond `pipelinedMax` it is refused.
 *
 * @module
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { problem, problemMediaType, type Problem } from "../../control/problem.ts";
import type { ControlLimits } from "./limits.ts";

/** What one connection waits for. */
class Connection {
  /** In the order in which they were asked for. */
  readonly answers = new Set<ServerResponse>();
  readonly #turns: (() => void)[] = [];
  readonly #pipelinedMax: number;
  #isLost = false;
  #isFull = false;
  #onIdle: (() => void) | undefined;

  constructor(pipelinedMax: number) {
    this.#pipelinedMax = pipelinedMax;
  }

  /** Whether to carry a request out, once everything that was asked before is answered. */
  async turn(response: ServerResponse): Promise<Turn> {
    if (this.#isFull) return "no";
    const isNext = this.answers.size === 0;
    this.answers.add(response);
    response.once("close", () => this.#answered(response));
    if (isNext) return "now";
    this.#isFull = this.answers.size > this.#pipelinedMax;
    if (this.#isFull) return "tooMany";
    await new Promise<void>((resolve) => this.#turns.push(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    return this.#isLost ? "no" : "now";
  }

  /** Calls once everything that was asked is answered. */
  whenIdle(call: () => void): void {
    this.#onIdle = call;
  }

  lost(): void {
    this.#isLost = true;
    for (const take of this.#turns.splice(0)) take();
  }

  #answered(response: ServerResponse): void {
    this.answers.delete(response);
    this.#turns.shift()?.();
    if (this.answers.size === 0) this.#onIdle?.();
  }
}

/** `no`: the connection was turned away, or has gone. */
export type Turn = "now" | "tooMany" | "no";

/** The connections of one server. */
export class Connections {
  readonly #server: Server;
  readonly #limits: ControlLimits;
  /** The oldest first. */
  readonly #connections = new Map<Socket, Connection>();

  constructor(server: Server, limits: ControlLimits) {
    this.#server = server;
    this.#limits = limits;
    server.on("connection", (socket: Socket) => this.#connected(socket));
    server.on("clientError", (error, socket) => this.#refuseBroken(error, socket as Socket));
  }

  /** Whether a request may be carried out. It lasts as long as its answer. */
  async began(request: IncomingMessage, response: ServerResponse): Promise<Turn> {
    return (await this.#connections.get(request.socket)?.turn(response)) ?? "no";
  }

  /** The whole answer is written; now the client must take it. */
  answered(response: ServerResponse): void {
    if (response.writableFinished) return;
    // One that waits behind another answer has no socket yet, and when the connection is lost it is never told.
    if (response.socket === null) response.once("socket", () => this.#startDeadline(response));
    else this.#startDeadline(response);
  }

  /** Closes the server; connections get `closeTimeoutMs` for their answers. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const deadline = setTimeout(() => this.#server.closeAllConnections(), this.#limits.closeTimeoutMs);
    for (const [socket, { answers }] of this.#connections) {
      if (answers.size === 0) socket.destroySoon();
    }
    await closed;
    clearTimeout(deadline);
  }

  /** Answers what is not HTTP, or too slow, or too large, and closes the connection. */
  #refuseBroken(error: Error & { readonly code?: string }, socket: Socket): void {
    const isLost = error.code === "ECONNRESET" || error.code === "EPIPE" || !socket.writable;
    // An answer to what is broken would be taken for the one that a whole request before it still waits for.
    const connection = this.#connections.get(socket);
    const waiting = [...(connection?.answers ?? [])].some(({ req }) => req.complete);
    if (isLost) socket.destroy();
    else if (waiting) this.#endWhenIdle(socket, connection!);
    else endWith(socket, brokenProblem(error.code));
  }

  #connected(socket: Socket): void {
    socket.on("error", () => {});
    if (this.#connections.size >= this.#limits.connectionsMax && !this.#evict()) {
      endWith(socket, problem("busy", `${this.#limits.connectionsMax} connections are busy, which is the limit`));
      return;
    }
    const connection = new Connection(this.#limits.pipelinedMax);
    this.#connections.set(socket, connection);
    socket.once("close", () => {
      this.#connections.delete(socket);
      connection.lost();
    });
  }

  #startDeadline(response: ServerResponse): void {
    const { socket } = response.req;
    const deadline = setTimeout(() => socket.destroy(), this.#limits.answerTimeoutMs).unref();
    response.once("close", () => clearTimeout(deadline));
  }

  /** What was whole still gets its answer. */
  #endWhenIdle(socket: Socket, connection: Connection): void {
    const end = (): void => socket.destroySoon();
    const deadline = setTimeout(end, this.#limits.answerTimeoutMs).unref();
    socket.once("close", () => clearTimeout(deadline));
    connection.whenIdle(end);
  }

  #evict(): boolean {
    for (const [socket, { answers }] of this.#connections) {
      if (answers.size > 0) continue;
      this.#connections.delete(socket);
      socket.destroy();
      return true;
    }
    return false;
  }
}

function brokenProblem(code: string | undefined): Problem {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return problem("invalid", "the head of the request is too large", { status: 431 });
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return problem("invalid", "the chunks of the body have too much beside them", { status: 413 });
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return problem("timeout", "the request did not arrive in time", { status: 408 });
    default:
      return problem("invalid", "this is not a request of HTTP/1.1");
  }
}

function endWith(socket: Socket, refusal: Problem): void {
  const body = `${JSON.stringify(refusal)}\n`;
  socket.write(
    `HTTP/1.1 ${refusal.status} ${refusal.title}\r\nconnection: close\r\ncontent-type: ${problemMediaType}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  socket.destroySoon();
}
