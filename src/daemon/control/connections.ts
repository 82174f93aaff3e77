/**
 * Connections: how many there are, what each of them does, and their ends.
 *
 * Guarantees: never more than `connectionsMax`: one more closes the one that has been without a whole request longest, so that
 * clients which connect and dawdle cannot keep others out; only when every connection has an answer under way is the new one
 * turned away. A client that does not take its answer within `answerTimeoutMs` loses its connection.
 *
 * @module
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { problem, problemMediaType, type Problem } from "../../control/problem.ts";
import type { ControlLimits } from "./limits.ts";

/** The connections of one server. */
export class Connections {
  readonly #server: Server;
  readonly #limits: ControlLimits;
  /** The answers that each connection waits for; the oldest connection first. */
  readonly #sockets = new Map<Socket, Set<ServerResponse>>();

  constructor(server: Server, limits: ControlLimits) {
    this.#server = server;
    this.#limits = limits;
    server.on("connection", (socket: Socket) => this.#connected(socket));
    server.on("clientError", (error, socket) => this.#refuseBroken(error, socket as Socket));
  }

  /** Whether a request may be carried out; not on a connection that was turned away. It lasts as long as its answer. */
  began(request: IncomingMessage, response: ServerResponse): boolean {
    const answers = this.#sockets.get(request.socket);
    answers?.add(response);
    response.once("close", () => answers?.delete(response));
    return answers !== undefined;
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
    for (const [socket, answers] of this.#sockets) {
      if (answers.size === 0) socket.destroySoon();
    }
    await closed;
    clearTimeout(deadline);
  }

  /** Answers what is not HTTP, or too slow, or too large, and closes the connection. */
  #refuseBroken(error: Error & { readonly code?: string }, socket: Socket): void {
    const isLost = error.code === "ECONNRESET" || error.code === "EPIPE" || !socket.writable;
    // An answer to what is broken would be taken for the one that a whole request before it still waits for.
    const waiting = [...(this.#sockets.get(socket) ?? [])].some(({ req }) => req.complete);
    if (isLost) socket.destroy();
    else if (waiting) socket.destroySoon();
    else endWith(socket, brokenProblem(error.code));
  }

  #connected(socket: Socket): void {
    socket.on("error", () => {});
    if (this.#sockets.size >= this.#limits.connectionsMax && !this.#evict()) {
      endWith(socket, problem("busy", `${this.#limits.connectionsMax} connections are busy, which is the limit`));
      return;
    }
    this.#sockets.set(socket, new Set());
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #startDeadline(response: ServerResponse): void {
    const { socket } = response.req;
    const deadline = setTimeout(() => socket.destroy(), this.#limits.answerTimeoutMs).unref();
    response.once("close", () => clearTimeout(deadline));
  }

  #evict(): boolean {
    for (const [socket, answers] of this.#sockets) {
      if (answers.size > 0) continue;
      this.#sockets.delete(socket);
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
