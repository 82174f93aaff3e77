/**
 * Control server: the manager as HTTP/1.1 with JSON on a Unix socket.
 *
 * `POST /v1/<interface>/<endpoint>` for every endpoint of control/manager-interface.ts (`GET` too when it only reads and
 * takes nothing), `GET /v1/health`, `GET /v1/openapi.json`. Failures are problems (RFC 9457).
 * Guarantees: only the user who owns the home can connect; browsers are refused; every limit of control/limits.ts holds, and
 * nothing that a client sends or leaves out ends the daemon. The client of an operation may leave; the operation goes on.
 * Not here: what operations do (the manager), the client (control/manager-client.ts).
 *
 * @module
 */
import { setMaxListeners } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { apiVersion } from "../../control/manager-routes.ts";
import type { Manager } from "../../control/manager.ts";
import { problem, problemMediaType, type Problem } from "../../control/problem.ts";
import { openApi } from "../../control/openapi.ts";
import { Budget, readBody, Turns } from "./body.ts";
import { Connections } from "./connections.ts";
import { formFor, sendEvents } from "./event-stream.ts";
import { refusalOf } from "./guard.ts";
import { controlLimits, type ControlLimits } from "./limits.ts";
import { Operations } from "./operations.ts";
import { findRoute, type Route } from "./routes.ts";
import { listenOn } from "./socket-file.ts";

/** Milliseconds between two looks for requests that take too long. */
const checkEveryMs = 500;

/** What the server needs. */
export interface ControlServerOptions {
  /** Absolute; its folder belongs to this user and is closed to others (mode 0700). */
  readonly socket: string;
  readonly manager: Manager;
  /** Takes what the daemon itself did wrong, one line each. */
  readonly log: (line: string) => void;
  /** colos' own. */
  readonly version: string;
  readonly limits?: Partial<ControlLimits>;
}

/** A server that runs. */
export interface ControlServer {
  /** Ends streams with a note, lets answers that are ready go out, and removes the socket. */
  close(): Promise<void>;
}

/** Serves `manager`. @throws Error with a sentence when the socket cannot be opened */
export async function serveControl(options: ControlServerOptions): Promise<ControlServer> {
  const face = new ControlFace(options);
  await listenOn(face.server, options.socket);
  return { close: () => face.close() };
}

class ControlFace {
  readonly server: Server;
  readonly #version: string;
  readonly #limits: ControlLimits;
  readonly #operations: Operations;
  readonly #budget: Budget;
  readonly #turns = new Turns();
  readonly #connections: Connections;
  readonly #closing = new AbortController();
  readonly #log: (line: string) => void;
  #openApi: Buffer | undefined;

  constructor({ manager, log, version, limits: given }: ControlServerOptions) {
    const limits = controlLimits(given);
    this.#limits = limits;
    this.#version = version;
    this.#log = log;
    // One listener for each stream.
    setMaxListeners(limits.streamsMax + 1, this.#closing.signal);
    this.#operations = new Operations(manager, limits, (sentence) => log(sentence));
    this.#budget = new Budget(limits.bodiesBytesMax);
    this.server = createServer({
      maxHeaderSize: limits.headBytesMax,
      headersTimeout: limits.headTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.idleTimeoutMs,
      connectionsCheckingInterval: Math.min(checkEveryMs, limits.headTimeoutMs),
    });
    this.#connections = new Connections(this.server, limits);
    this.server.on("request", (request, response) => void this.#answer(request, response));
    this.server.on("error", (error) => log(`the control socket has a failure: ${error.message}`));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#connections.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on("error", () => {});
    response.on("error", () => {});
    const turn = await this.#connections.began(request, response);
    if (turn === "no") return;
    try {
      if (turn === "tooMany") {
        response.setHeader("connection", "close");
        return this.#refuse(response, tooManyAtOnce(this.#limits.pipelinedMax));
      }
      await this.#route(request, response);
    } catch (error) {
      this.#log(`a request for ${JSON.stringify(request.url)} failed: ${String(error)}`);
      this.#refuse(response, problem("internal", "the daemon failed at this request"));
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? "";
    const refusal = refusalOf(method, request.headers);
    if (refusal !== undefined) return this.#refuse(response, refusal);
    const path = (request.url ?? "").replace(/\?.*$/s, "");
    const fixed = this.#fixed(path);
    if (fixed !== undefined) {
      if (method !== "GET") return this.#refuse(response, wrongMethod(path, ["GET"]), ["GET"]);
      return this.#sendBytes(response, 200, fixed());
    }
    const route = findRoute(path);
    if (route === undefined) return this.#refuse(response, noSuchPath(path));
    if (!route.methods.some((allowed) => allowed === method)) {
      return this.#refuse(response, wrongMethod(path, route.methods), route.methods);
    }
    await this.#carryOut(route, request, response);
  }

  /** What is answered without the manager. */
  #fixed(path: string): (() => Buffer) | undefined {
    if (path === `/v${apiVersion}/health`) {
      return () => bytesOf({ status: "ok", version: this.#version, api: apiVersion });
    }
    if (path === `/v${apiVersion}/openapi.json`) return () => (this.#openApi ??= bytesOf(openApi(this.#version)));
    return undefined;
  }

  async #carryOut(route: Route, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { bodyBytesMax, bodyDepthMax: depthMax, bodyValuesMax: valuesMax, bodyFreeBytes: freeBytes } = this.#limits;
    const bytesMax = route.endpoint.inputBytesMax ?? bodyBytesMax;
    const body = await readBody(request, {
      bytesMax,
      depthMax,
      valuesMax,
      freeBytes,
      budget: this.#budget,
      turns: this.#turns,
    });
    if ("isGone" in body) return;
    if ("problem" in body) return this.#refuse(response, body.problem);
    const answer = await this.#operations.run(route, body.value);
    if ("problem" in answer) return this.#refuse(response, answer.problem);
    if ("value" in answer) return this.#send(response, answer.value === undefined ? 204 : 200, answer.value);
    try {
      const form = formFor(request.headers.accept);
      await sendEvents(response, answer.items, { form, limits: this.#limits, closing: this.#closing.signal });
    } finally {
      answer.release();
      this.#connections.answered(response);
    }
  }

  #refuse(response: ServerResponse, refusal: Problem, allowed?: readonly string[]): void {
    if (allowed !== undefined) response.setHeader("allow", allowed.join(", "));
    // What is left of the request is not worth reading, and the connection cannot be used without that.
    if (!response.req.complete) response.setHeader("connection", "close");
    this.#send(response, refusal.status, refusal, problemMediaType);
  }

  #send(response: ServerResponse, status: number, value: unknown, mediaType?: string): void {
    this.#sendBytes(response, status, value === undefined ? Buffer.alloc(0) : bytesOf(value), mediaType);
  }

  #sendBytes(response: ServerResponse, status: number, bytes: Buffer, mediaType = "application/json"): void {
    if (response.headersSent || response.destroyed) return;
    response.setHeader("cache-control", "no-store");
    response.setHeader("x-content-type-options", "nosniff");
    if (bytes.length > 0) {
      response.setHeader("content-type", mediaType);
      response.setHeader("content-length", bytes.length);
    }
    response.writeHead(status);
    response.end(bytes);
    this.#connections.answered(response);
  }
}

function bytesOf(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

function tooManyAtOnce(pipelinedMax: number): Problem {
  return problem("busy", `${pipelinedMax} requests wait on this connection, which is the limit`, {
    advice: "Wait for answers before asking more.",
  });
}

function noSuchPath(path: string): Problem {
  const shown = JSON.stringify(path.length > 100 ? `${path.slice(0, 100)}…` : path);
  return problem("unknown", `there is nothing at ${shown}`, {
    advice: `GET /v${apiVersion}/openapi.json lists what there is.`,
  });
}

function wrongMethod(path: string, allowed: readonly string[]): Problem {
  return problem("invalid", `${path} takes ${allowed.join(" and ")} only`, { status: 405 });
}
