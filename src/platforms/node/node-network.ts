/**
 * Node network: TCP and name resolution of Node.js, as the contract of `base/network.ts` wants them.
 *
 * Guarantees: those of the contract. An address that has several IP addresses is tried in the resolver's order, all within
 * `timeoutMs`. Nagle's algorithm is off: a small write goes at once.
 * Limits: below `bufferMaxBytes` the host's own buffers hold some megabytes more; `listen` with a name takes the first of its
 * addresses. A listener of an OS process that is out of descriptors accepts and closes (libuv), and nobody is told.
 * Not here: simulated networks (sim/).
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { connect as connectSocket, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { AcceptQueue } from "../../base/accept-queue.ts";
import {
  addressText,
  assertAddress,
  assertLimits,
  backlogMaxDefault,
  bufferMaxBytesDefault,
  connectTimeoutMsDefault,
  isIpAddress,
  networkError,
  Reservation,
  NetworkError,
  type Address,
  type Connection,
  type Listener,
  type ListenOptions,
  type Network,
  type NetworkErrorCode,
  type Owned,
  type ReadOptions,
} from "../../base/network.ts";
import type { Milliseconds } from "../../base/platform.ts";
import { nodePlatform } from "./node-platform.ts";

/** What can be chosen about a Node network. */
export interface NodeNetworkOptions {
  /** The IP addresses of a name, or a failure with `code`; default: the host's resolver. */
  readonly lookup?: (name: string) => Promise<readonly string[]>;
}

/** The network of this host. Cheap; several may live in one OS process. */
export function nodeNetwork(options: NodeNetworkOptions = {}): Network {
  const { lookup = hostLookup } = options;
  const resolve = (name: string): Promise<readonly string[]> => resolveName(name, lookup);
  return { resolve, listen: (address, limits) => listen(resolve, address, limits), connect: connectBy(resolve) };
}

type Resolve = Network["resolve"];

const { clock } = nodePlatform();

async function hostLookup(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

async function resolveName(
  name: string,
  lookup: (name: string) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  if (isIpAddress(name)) return [name];
  let addresses: readonly string[];
  try {
    addresses = await lookup(name);
  } catch (error) {
    throw errorOf(error, name);
  }
  if (addresses.length === 0) throw networkError("ENOTFOUND", name);
  return addresses;
}

const codes = new Set<NetworkErrorCode>([
  "ECONNREFUSED",
  "ECONNRESET",
  "EADDRINUSE",
  "ENETUNREACH",
  "ETIMEDOUT",
  "EMFILE",
  "EAI_AGAIN",
  "ENOTFOUND",
]);
/** Codes that say the same to who uses a network: the other end is gone, it cannot be reached, descriptors ran out. */
const synonyms: Readonly<Record<string, NetworkErrorCode>> = {
  EPIPE: "ECONNRESET",
  EHOSTUNREACH: "ENETUNREACH",
  ENETDOWN: "ENETUNREACH",
  ENFILE: "EMFILE",
  ENODATA: "ENOTFOUND",
};

function errorOf(error: unknown, address: string): NetworkError {
  if (error instanceof NetworkError) return error;
  const code = String((error as { code?: unknown } | null)?.code ?? "unknown");
  const known = codes.has(code as NetworkErrorCode) ? (code as NetworkErrorCode) : synonyms[code];
  return networkError(known ?? `x-${code}`, address, { cause: error });
}

function addressOf(host: string | undefined, port: number | undefined): Address {
  return { host: host ?? "", port: port ?? 0 };
}

// --- opening ---

function connectBy(resolve: Resolve): Network["connect"] {
  return async (address, options = {}) => {
    const { timeoutMs = connectTimeoutMsDefault, bufferMaxBytes = bufferMaxBytesDefault } = options;
    assertAddress(address, 1);
    assertLimits({ timeoutMs, bufferMaxBytes });
    const attempt = new Attempt(address);
    const place = new Reservation(options, () => attempt.giveUp("x-closed"));
    const cancel = timeoutMs === Infinity ? undefined : clock.timer(timeoutMs, () => attempt.giveUp("ETIMEDOUT"));
    try {
      const socket = await Promise.race([attempt.run(resolve), attempt.givenUp]);
      const connection = new NodeConnection(socket, bufferMaxBytes);
      if (place.isOver) throw networkError("x-closed", addressText(address));
      place.give(connection);
      return connection;
    } catch (error) {
      place.drop();
      throw error;
    } finally {
      cancel?.();
    }
  };
}

/** One `connect`, over all IP addresses of its host. */
class Attempt {
  readonly givenUp: Promise<never>;
  readonly #address: Address;
  readonly #reject: (error: NetworkError) => void;
  #socket: Socket | undefined;
  #isOver = false;

  constructor(address: Address) {
    const { promise, reject } = deferred<never>();
    this.#address = address;
    this.givenUp = promise;
    this.#reject = reject;
  }

  giveUp(code: NetworkErrorCode): void {
    this.#isOver = true;
    this.#socket?.destroy();
    this.#reject(networkError(code, addressText(this.#address)));
  }

  async run(resolve: Resolve): Promise<Socket> {
    const { host, port } = this.#address;
    let failure: unknown;
    for (const ip of await resolve(host)) {
      if (this.#isOver) break;
      try {
        return await this.#open(ip, port);
      } catch (error) {
        failure = error;
      }
    }
    throw errorOf(failure, addressText(this.#address));
  }

  #open(host: string, port: number): Promise<Socket> {
    const { promise, resolve, reject } = deferred<Socket>();
    const socket = connectSocket({ host, port, allowHalfOpen: true, noDelay: true });
    this.#socket = socket;
    socket.once("error", reject);
    socket.once("close", () => reject(networkError("ETIMEDOUT", addressText(this.#address))));
    socket.once("connect", () => {
      socket.removeAllListeners();
      resolve(socket);
    });
    return promise;
  }
}

async function listen(resolve: Resolve, address: Address, options: ListenOptions = {}): Promise<Listener> {
  const { backlogMax = backlogMaxDefault, bufferMaxBytes = bufferMaxBytesDefault } = options;
  assertAddress(address, 0);
  assertLimits({ backlogMax, bufferMaxBytes });
  const place = new Reservation(options);
  try {
    const [host] = await resolve(address.host);
    const listener = await listenOn(host, address, backlogMax, bufferMaxBytes);
    if (place.isOver) {
      listener.close();
      throw networkError("x-closed", addressText(address));
    }
    place.give(listener);
    return listener;
  } catch (error) {
    place.drop();
    throw error;
  }
}

async function listenOn(
  host: string | undefined,
  address: Address,
  backlogMax: number,
  bufferMaxBytes: number,
): Promise<NodeListener> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  const { promise, resolve: listening, reject } = deferred<NodeListener>();
  // A failed accept is the client's loss alone; without a listener of `error` it would be everybody's.
  server.on("error", (error) => reject(errorOf(error, addressText(address))));
  server.listen({ host, port: address.port, backlog: backlogMax, exclusive: true }, () => {
    // Here and not after an await: a client may already be there.
    listening(new NodeListener(server, backlogMax, bufferMaxBytes));
  });
  return promise;
}

class NodeListener implements Listener {
  readonly address: Address;
  readonly #server: Server;
  readonly #queue: AcceptQueue<NodeConnection>;
  #disown: (() => void) | undefined;

  constructor(server: Server, backlogMax: number, bufferMaxBytes: number) {
    const { address, port } = server.address() as AddressInfo;
    this.address = { host: address, port };
    this.#server = server;
    this.#queue = new AcceptQueue(backlogMax);
    server.on("connection", (socket) => this.#take(socket, bufferMaxBytes));
  }

  get port(): number {
    return this.address.port;
  }

  accept(options: Owned = {}): Promise<Connection | null> {
    return new Promise((resolve) => this.#queue.accept(options, resolve));
  }

  onOwned(undo: () => void): void {
    this.#disown = undo;
  }

  close(): void {
    if (this.#queue.isClosed) return;
    this.#disown?.();
    this.#server.close();
    this.#queue.close();
  }

  #take(socket: Socket, bufferMaxBytes: number): void {
    if (this.#queue.isClosed || this.#queue.isFull) {
      socket.on("error", () => {});
      socket.resetAndDestroy();
      return;
    }
    this.#queue.offer(new NodeConnection(socket, bufferMaxBytes));
  }
}

// --- a connection ---

class NodeConnection implements Connection {
  readonly local: Address;
  readonly remote: Address;
  readonly #socket: Socket;
  readonly #bufferMaxBytes: number;
  #reader: Waiter<Uint8Array | null> | null = null;
  #writer: Waiter<void> | null = null;
  /** Why nothing goes any more: an error of the host, or this side's `close`. */
  #failure: NetworkError | null = null;
  #hasOtherEnded = false;
  #ending: Promise<void> | null = null;
  #disown: (() => void) | undefined;

  constructor(socket: Socket, bufferMaxBytes: number) {
    this.local = addressOf(socket.localAddress, socket.localPort);
    this.remote = addressOf(socket.remoteAddress, socket.remotePort);
    this.#socket = socket;
    this.#bufferMaxBytes = bufferMaxBytes;
    socket.on("readable", () => this.#serve());
    socket.on("end", () => {
      this.#hasOtherEnded = true;
      this.#serve();
    });
    socket.on("error", (error) => this.#fail(errorOf(error, addressText(this.remote))));
    socket.on("close", () => {
      // Without an error and with both ends said this is the orderly close, and reading goes on giving null.
      if (!this.#hasOtherEnded) this.#fail(this.#error("ECONNRESET"));
      this.#writer?.reject(this.#failure ?? this.#error("ECONNRESET"));
    });
  }

  read({ timeoutMs = Infinity }: ReadOptions = {}): Promise<Uint8Array | null> {
    if (this.#reader !== null) return Promise.reject(this.#error("x-busy"));
    // The end stays the end, whatever a write has met since.
    if (this.#failure !== null && (this.#isClosed() || !this.#hasOtherEnded)) return Promise.reject(this.#failure);
    const reader = deferred<Uint8Array | null>();
    this.#reader = reader;
    this.#serve();
    if (this.#reader === reader && timeoutMs !== Infinity) this.#limit(reader, timeoutMs);
    return reader.promise;
  }

  write(bytes: Uint8Array): Promise<void> {
    const refused = this.#writeProblem();
    if (refused !== null) return Promise.reject(refused);
    if (bytes.byteLength === 0) return Promise.resolve();
    const writer = deferred<void>();
    this.#socket.write(bytes, (error) => {
      if (this.#writer === writer) this.#writer = null;
      // What went wrong comes with `error` or `close`, as for everybody else who waits.
      if (error == null) writer.resolve();
      else this.#socket.once("close", () => writer.reject(this.#failure ?? this.#error("ECONNRESET")));
    });
    if (this.#socket.writableLength <= this.#bufferMaxBytes) {
      writer.resolve();
    } else {
      this.#writer = writer;
    }
    return writer.promise;
  }

  end(): Promise<void> {
    if (this.#ending !== null) return this.#ending;
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const ender = deferred<void>();
    this.#ending = ender.promise;
    this.#socket.once("close", () => ender.reject(this.#failure ?? this.#error("ECONNRESET")));
    this.#socket.end(() => ender.resolve());
    return ender.promise;
  }

  onOwned(undo: () => void): void {
    this.#disown = undo;
  }

  close(): void {
    if (this.#isClosed()) return;
    this.#disown?.();
    this.#fail(this.#error("x-closed"));
    this.#socket.destroy();
  }

  reset(): void {
    if (this.#isClosed()) return;
    this.#disown?.();
    this.#fail(this.#error("x-closed"));
    if (!this.#socket.destroyed) this.#socket.resetAndDestroy();
  }

  #isClosed(): boolean {
    return this.#failure?.code === "x-closed";
  }

  #writeProblem(): NetworkError | null {
    if (this.#failure !== null) return this.#failure;
    if (this.#ending !== null) return this.#error("EPIPE");
    return this.#writer === null ? null : this.#error("x-busy");
  }

  /** Gives the waiting reader what is there. */
  #serve(): void {
    const reader = this.#reader;
    if (reader === null) return;
    const chunk: Uint8Array | null = this.#hasOtherEnded ? null : this.#socket.read();
    if (chunk === null && !this.#hasOtherEnded) return;
    this.#reader = null;
    reader.resolve(chunk);
  }

  #limit(reader: Waiter<Uint8Array | null>, timeoutMs: Milliseconds): void {
    const cancel = clock.timer(timeoutMs, () => {
      if (this.#reader !== reader) return;
      this.#reader = null;
      reader.reject(this.#error("ETIMEDOUT"));
    });
    reader.promise.then(cancel, cancel);
  }

  #fail(failure: NetworkError): void {
    // The first reason is the true one, but who has closed is told that, whatever happened before.
    if (this.#failure === null || failure.code === "x-closed") this.#failure = failure;
    this.#reader?.reject(this.#failure);
    this.#reader = null;
    this.#writer?.reject(this.#failure);
    this.#writer = null;
  }

  #error(code: NetworkErrorCode): NetworkError {
    return networkError(code, addressText(this.remote));
  }
}

interface Waiter<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** A promise and what settles it; a rejection that nobody awaits is nobody's error, because the next call tells it again. */
function deferred<T>(): Waiter<T> {
  let settle!: Pick<Waiter<T>, "resolve" | "reject">;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  promise.catch(() => {});
  return { promise, ...settle };
}
