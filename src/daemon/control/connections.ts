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
  /** Requests under way, by connection; the oldest connection first. */
  readonly #sockets = new Map<Socket, number>();

  constructor(server: Server, limits: ControlLimits) {
    this.#server = server;
    this.#limits = limits;
    server.on("connection", (socket: Socket) => this.#connected(socket));
  }

  /** A request has begun. Returns what says that it is over. */
  began(request: IncomingMessage, _response: ServerResponse): () => void {
    const { socket } = request;
    this.#count(socket, 1);
    return () => this.#count(socket, -1);
  }

  /** The whole answer is written; now the client must take it. */
  answered(response: ServerResponse): void {
    if (response.writableFinished) return;
    const { socket } = response;
    const deadline = setTimeout(() => socket?.destroy(), this.#limits.answerTimeoutMs);
    deadline.unref();
    response.once("close", () => clearTimeout(deadline));
  }

  /** Closes the server; connections get `answerTimeoutMs` to take what is written for them. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const deadline = setTimeout(() => this.#server.closeAllConnections(), this.#limits.answerTimeoutMs);
    for (const [socket, requests] of this.#sockets) {
      if (requests === 0) socket.destroySoon();
    }
    await closed;
    clearTimeout(deadline);
  }

  #connected(socket: Socket): void {
    socket.on("error", () => {});
    if (this.#sockets.size >= this.#limits.connectionsMax && !this.#evict()) {
      endWith(socket, problem("busy", `${this.#limits.connectionsMax} connections are busy, which is the limit`));
      return;
    }
    this.#sockets.set(socket, 0);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #evict(): boolean {
    for (const [socket, requests] of this.#sockets) {
      if (requests > 0) continue;
      this.#sockets.delete(socket);
      socket.destroy();
      return true;
    }
    return false;
  }

  #count(socket: Socket, change: number): void {
    const requests = this.#sockets.get(socket);
    if (requests !== undefined) this.#sockets.set(socket, requests + change);
  }
}

/** Answers what is not HTTP, or too slow, or too large, and closes the connection. */
export function refuseBroken(error: Error & { readonly code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET" || error.code === "EPIPE") {
    socket.destroy();
    return;
  }
  endWith(socket, brokenProblem(error.code));
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
