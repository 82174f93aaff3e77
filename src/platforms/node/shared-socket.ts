/**
 * Shared socket: gives a program that knows nothing of colos the listening socket that colos handed on, and lets its HTTP servers
 * end without a reset.
 *
 * Guarantees: `server.listen` is another only where an OS process was handed a socket (LISTEN_FDS, LISTEN_PID), in its main
 * thread, and for a TCP port and address that are the socket's; whatever else a program listens on is as it wrote it. What a
 * program says about OS signals is heeded: with a handler of its own for one, nothing here happens at it, but `close` of the HTTP server that
 * has the socket closes no connection on which a client may just be sending: what comes is answered, what stays idle is closed.
 * Without one, SIGTERM, SIGINT and SIGHUP let each HTTP or HTTPS server end so; then
 * the OS process ends with exit code 0, whatever timers it has.
 * Limits: the first server that listens on the port has the socket; one that is closed cannot listen there again. IPv6 is
 * served only with a `listenHost` of IPv6. Connections that were upgraded (WebSocket), HTTP/2 and plain TCP end when the manager
 * ends the OS process (`shutdown`, `drainMs`).
 * Not here: when colos has this loaded (daemon/run/run-launch.ts).
 *
 * @module
 */
import { Server as HttpServer } from "node:http";
import { Server as NetServer, type ListenOptions } from "node:net";
import process from "node:process";
import { drainNow } from "./drain.ts";
import { handedFd } from "./listen-options.ts";

/** Where the socket listens, as `<host>:<port>`; beside LISTEN_FDS, which does not say. */
export const listenVariable = "COLOS_LISTEN";
/** A connection without a request for so long is closed once the OS process is to end, in milliseconds. */
export const unawareIdleMs = 1_000;
/** What asks for the end. */
const stopSignals: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT", "SIGHUP"];

/** A port and an IP address. */
interface Place {
  readonly host: string;
  readonly port: number;
}

/** What `listen` was asked for: a place and the rest. */
interface Asked {
  readonly port: number;
  readonly host: string | undefined;
  readonly options: ListenOptions;
}

type Listen = (this: NetServer, ...args: unknown[]) => NetServer;

/** Has servers of this OS process take over the socket that it was handed; nothing when it was handed none. */
export function shareSocket(): void {
  const fd = handedFd();
  const place = placeOf(process.env[listenVariable]);
  if (fd === undefined || place === undefined) return;
  const prototype = NetServer.prototype as unknown as { listen: Listen };
  const { listen } = prototype;
  const drain = new Drain();
  let isTaken = false;
  prototype.listen = function (...args) {
    drain.watch(this);
    const asked = askedOf(args);
    if (isTaken || asked?.port !== place.port) return listen.apply(this, args);
    if (!isHeld(asked.host, place.host)) {
      warn(asked, place);
      return listen.apply(this, args);
    }
    isTaken = true;
    if (isHttp(this)) closePolitely(this);
    const callback = args.at(-1);
    return listen.call(this, { ...asked.options, fd }, ...(typeof callback === "function" ? [callback] : []));
  };
}

function placeOf(text: string | undefined): Place | undefined {
  const [, host, port] = /^(.+):(\d+)$/.exec(text ?? "") ?? [];
  return host === undefined ? undefined : { host, port: Number(port) };
}

/** What a call of `listen` is about; undefined when it is no TCP port. As net.Server takes it, in all its forms. */
function askedOf([first, second, third]: readonly unknown[]): Asked | undefined {
  if (typeof first === "object" && first !== null) {
    const { port, host, ...options } = first as ListenOptions & Readonly<Record<string, unknown>>;
    const isOther = ["fd", "path", "handle", "_handle"].some((name) => (options[name] ?? undefined) !== undefined);
    const number = portOf(port);
    if (isOther || number === undefined || options.ipv6Only === true) return undefined;
    return { port: number, host: host ?? undefined, options };
  }
  const port = portOf(first);
  if (port === undefined) return undefined;
  const backlog = [second, third].find((each) => typeof each === "number");
  const host = typeof second === "string" ? second : undefined;
  return { port, host, options: backlog === undefined ? {} : { backlog } };
}

function portOf(value: unknown): number | undefined {
  if (typeof value === "string" && value.trim() === "") return undefined;
  return typeof value === "number" || typeof value === "string" ? Number(value) : undefined;
}

const everyAddress: ReadonlySet<string> = new Set(["", "0.0.0.0", "::"]);
const loopback: ReadonlySet<string> = new Set(["127.0.0.1", "::1"]);

/** A socket that more can reach than the program wants is not what it asked for. */
function isHeld(asked: string | undefined, held: string): boolean {
  if (asked === undefined || everyAddress.has(asked) || asked === held) return true;
  return asked === "localhost" && loopback.has(held);
}

function warn({ host, port }: Asked, place: Place): void {
  process.stderr.write(
    `colos: this listens on ${host}, port ${port}, and listen in the config has port ${port} of ${place.host}; ` +
      `write listenHost: "${host === "localhost" ? "127.0.0.1" : host}" there, or no address here\n`,
  );
}

/** Ends HTTP servers at an OS signal for a program that has no handler for it. */
class Drain {
  readonly #servers = new Set<HttpServer>();
  #isDraining = false;

  /** `server` is about to listen. */
  watch(server: NetServer): void {
    if (!isHttp(server) || this.#servers.has(server)) return;
    if (this.#servers.size === 0) for (const name of stopSignals) this.#handle(name);
    this.#servers.add(server);
    server.once("close", () => this.#servers.delete(server));
  }

  /** The handler goes as soon as the program has one, and before others count how many there are. */
  #handle(name: NodeJS.Signals): void {
    if (process.listenerCount(name) > 0) return;
    const drain = (): void => this.#drain(name, leave);
    const others = (added: string | symbol): void => {
      // Not at once: without any handler, the OS signal would end the OS process.
      if (added === name) queueMicrotask(leave);
    };
    const leave = (): void => {
      process.off("newListener", others);
      process.off(name, drain);
    };
    process.on(name, drain);
    process.on("newListener", others);
  }

  #drain(name: NodeJS.Signals, leave: () => void): void {
    if (this.#isDraining) return;
    const servers = [...this.#servers].filter(({ listening }) => listening);
    if (servers.length === 0) {
      leave();
      process.kill(process.pid, name);
      return;
    }
    this.#isDraining = true;
    let left = servers.length;
    for (const server of servers) {
      drainNow(server, unawareIdleMs, () => {
        left -= 1;
        if (left === 0) process.exit(0);
      });
    }
  }
}

/** HTTP's own `close` closes idle connections at once, and frameworks do so beside it: the reset of whoever is just sending. */
function closePolitely(server: HttpServer): void {
  server.close = (callback) => {
    drainNow(server, unawareIdleMs, callback ?? (() => {}));
    return server;
  };
  server.closeIdleConnections = () => {
    setTimeout(() => HttpServer.prototype.closeIdleConnections.call(server), unawareIdleMs).unref();
  };
}

function isHttp(server: NetServer): server is HttpServer {
  return typeof (server as Partial<HttpServer>).closeIdleConnections === "function";
}
