/**
 * Drain: lets an HTTP server end without a client noticing, when colos replaces its instance (`colos reload`) or stops it.
 *
 * At the OS signal the server accepts no new connection, answers what comes on those it has with `Connection: close`, closes those
 * that stay idle, and then the OS process ends. `server.close()` alone closes idle connections at once, and with them
 * those on which a client is just sending: that client sees a reset.
 * Limits: a client that begins to send in the very moment in which its connection was idle for `idleMs` sees a reset, as with any
 * keep-alive timeout. Upgraded connections (WebSocket) are the program's own affair. The manager's `drainMs`, or `shutdown`,
 * ends what takes longer.
 *
 * @module
 */
import { Server as HttpServer } from "node:http";
import { Server as NetServer } from "node:net";
import process from "node:process";
import { assertWhole } from "../../base/limit.ts";

export interface DrainOptions {
  /** What asks for the end; default SIGTERM. */
  readonly signal?: NodeJS.Signals;
  /** A connection without a request for so long is closed, in milliseconds; default 5000. */
  readonly idleMs?: number;
  /** Called when no connection is left; default: the OS process ends with exit code 0. */
  readonly onDrained?: () => void;
}

/** Drains `server` when the OS signal comes. Returns how to take that back. */
export function drainOnStop(server: HttpServer, options: DrainOptions = {}): () => void {
  const { signal = "SIGTERM", idleMs = 5_000, onDrained = () => process.exit(0) } = options;
  assertWhole("idleMs", idleMs, 1, 2 ** 31 - 1);
  const drain = (): void => drainNow(server, idleMs, onDrained);
  process.once(signal, drain);
  return () => process.off(signal, drain);
}

/** Drains `server` now. */
export function drainNow(server: HttpServer, idleMs: number, onDrained: (error?: Error) => void): void {
  // HTTP's own `close` would close idle connections too.
  NetServer.prototype.close.call(server, onDrained);
  server.prependListener("request", (_request, response) => {
    response.shouldKeepAlive = false;
  });
  // For connections whose answer had begun when the signal came.
  if (server.keepAliveTimeout === 0 || server.keepAliveTimeout > idleMs) server.keepAliveTimeout = idleMs;
  setTimeout(() => HttpServer.prototype.closeIdleConnections.call(server), idleMs).unref();
}
