/**
 * Network: the contract for streams of bytes between hosts. Neutral code listens and connects through it, so that the same
 * code runs over real sockets and over simulated ones whose faults are chosen.
 *
 * Guarantees: the bytes of a connection arrive in the order they were written, each exactly once, or the connection fails and
 * says so; how they are cut into chunks says nothing. What is under way is bounded (`bufferMaxBytes`), what waits to be
 * accepted too (`backlogMax`). Every failure of the network is a `NetworkError` with a code.
 * As Erlang's gen_tcp in passive mode with binaries; unlike it, `read` gives whatever is there and never waits for a length,
 * and `write` does not return before there is room, however long the other end does not read.
 * Not here: datagrams, Unix sockets, TLS; frames and protocols, which stand on `read`.
 *
 * @module
 */
import type { Milliseconds } from "./platform.ts";

/** Bytes that may be under way in one direction of a connection, unless it was said otherwise. */
export const bufferMaxBytesDefault: number = 64 * 1024;
/** Connections that wait to be accepted by one listener, unless it was said otherwise. */
export const backlogMaxDefault = 511;
/** How long `connect` tries, with the resolving of the name, unless it was said otherwise. */
export const connectTimeoutMsDefault: Milliseconds = 30_000;
/** The highest TCP port. */
export const portMax = 65_535;

/** Where something listens. */
export interface Address {
  /** An IP address, or a name that is resolved first. */
  readonly host: string;
  /** 1 to `portMax`; to listen also 0, for any that is free. */
  readonly port: number;
}

/** Who owns what is opened: a process. What it has is the handle table of the kernel. */
export interface HandleOwner {
  /** `handle` is closed when the owner ends; what is returned takes it out. */
  own(handle: { close(): void | PromiseLike<void> }): () => void;
}

/** For whom something is opened. */
export interface Owned {
  /**
   * A process (`self`): it owns what is opened from the first moment, so that its end at any instant leaves nothing open, and a
   * connection that nobody takes any more goes to the next who accepts. Closing takes it out of the handle table.
   */
  readonly owner?: HandleOwner;
}

/** What a process can do with a network. */
export interface Network {
  /**
   * Takes a port.
   * @throws NetworkError EADDRINUSE, EMFILE, ENOTFOUND, EAI_AGAIN, x-…; RangeError for what is no address or limit.
   */
  listen(address: Address, options?: ListenOptions): Promise<Listener>;
  /**
   * Opens a connection.
   * @throws NetworkError ECONNREFUSED, ENETUNREACH, ETIMEDOUT, ENOTFOUND, EAI_AGAIN, EMFILE, x-…; RangeError for what is no
   *   address or limit.
   */
  connect(address: Address, options?: ConnectOptions): Promise<Connection>;
  /**
   * The IP addresses of a name, at least one, best first; an IP address is its own.
   * @throws NetworkError ENOTFOUND when there is no such name, EAI_AGAIN when nobody could be asked.
   */
  resolve(name: string): Promise<readonly string[]>;
}

/** Limits of what comes through a listener. */
export interface ListenOptions extends Owned {
  /**
   * Connections that wait for `accept`; default `backlogMaxDefault`. One more is not taken: its `connect` fails, or its first
   * `read` fails with ECONNRESET.
   */
  readonly backlogMax?: number;
  /** For each connection; see `ConnectOptions`. */
  readonly bufferMaxBytes?: number;
}

/** Limits of a connection. */
export interface ConnectOptions extends Owned {
  /** How long to try, in milliseconds; default `connectTimeoutMsDefault`; Infinity: as long as the host does. */
  readonly timeoutMs?: Milliseconds;
  /**
   * Bytes that were written here and that a `write` does not wait for; default `bufferMaxBytesDefault`. On a real host its own
   * buffers come on top of that.
   */
  readonly bufferMaxBytes?: number;
}

/** How long a read may wait. */
export interface ReadOptions {
  /** In milliseconds; default Infinity. The connection stays as it was when it has passed. */
  readonly timeoutMs?: Milliseconds;
}

/** A port that is listened on. A handle: also `self.own` takes it. */
export interface Listener {
  /** Where it listens, with the real port. */
  readonly address: Address;
  readonly port: number;
  /**
   * The next connection that somebody opened; null once the listener is closed. Several may wait; they are served in order.
   */
  accept(options?: Owned): Promise<Connection | null>;
  /** Frees the port. Connections that nobody accepted are reset. Idempotent. */
  close(): void | Promise<void>;
}

/** A stream of bytes in each direction. A handle: also `self.own` takes it. */
export interface Connection {
  readonly local: Address;
  readonly remote: Address;
  /**
   * The next bytes, at least one; null when the other end has ended, then and ever after.
   * @throws NetworkError ECONNRESET, ETIMEDOUT (nothing came in `timeoutMs`; or the other end is not heard of any more),
   *   `x-closed` after `close` and for what waits then, `x-busy` while another read waits.
   */
  read(options?: ReadOptions): Promise<Uint8Array | null>;
  /**
   * Sends bytes; returns when all but `bufferMaxBytes` of what was written are gone. They belong to the connection from the
   * call on: who changes them changes what arrives. That it returns does not say that anything has arrived.
   * @throws NetworkError ECONNRESET, EPIPE (also after `end`), ETIMEDOUT, `x-closed` after `close`, `x-busy` while another
   *   write waits for room.
   */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Says that nothing more comes from here; what was written goes first. Reading goes on. Returns when that is said. Idempotent.
   * @throws NetworkError as `write`.
   */
  end(): Promise<void>;
  /**
   * Lets go of the connection, both ways and at once. What has not gone yet may be lost; the other end sees the end, or
   * ECONNRESET. Idempotent, and after `reset` nothing.
   */
  close(): void;
  /** Breaks the connection off: the other end sees ECONNRESET. */
  reset(): void;
}

/** What can be wrong with a network. A code that is none of ours is the host's, as `x-EACCES`. */
export type NetworkErrorCode =
  | "ECONNREFUSED"
  | "ECONNRESET"
  | "EADDRINUSE"
  | "ENETUNREACH"
  | "ETIMEDOUT"
  | "EPIPE"
  | "EMFILE"
  | "EAI_AGAIN"
  | "ENOTFOUND"
  | `x-${string}`;

/** What went wrong, where, in a sentence for a person. */
export class NetworkError extends Error {
  override readonly name = "NetworkError";
  readonly code: NetworkErrorCode;
  /** The address (`host:port`) or name it is about: the other end's, or where was to be listened. */
  readonly address: string;

  constructor(code: NetworkErrorCode, address: string, sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.code = code;
    this.address = address;
  }
}

const sentences: Readonly<Record<Exclude<NetworkErrorCode, `x-${string}`>, (address: string) => string>> = {
  ECONNREFUSED: (address) => `nothing listens on ${address}`,
  ECONNRESET: (address) => `the connection with ${address} was reset`,
  EADDRINUSE: (address) => `${address} is in use by another listener`,
  ENETUNREACH: (address) => `there is no way to ${address}: the network is down, or has no such address`,
  ETIMEDOUT: (address) => `${address} did not answer in time`,
  EPIPE: (address) => `nothing can be written to ${address} any more: the connection has ended`,
  EMFILE: (address) => `no socket could be opened for ${address}: too many are open`,
  EAI_AGAIN: (address) => `${address} could not be resolved: no name server answers`,
  ENOTFOUND: (address) => `${address} could not be resolved: there is no such name`,
};

/** The error of a code, with its usual sentence. */
export function networkError(code: NetworkErrorCode, address: string, options?: ErrorOptions): NetworkError {
  const own = Object.hasOwn(sentences, code) ? sentences[code as keyof typeof sentences] : undefined;
  return new NetworkError(code, address, own?.(address) ?? ownSentence(code, address), options);
}

function ownSentence(code: NetworkErrorCode, address: string): string {
  switch (code) {
    case "x-closed":
      return `the connection with ${address} was closed on this side`;
    case "x-busy":
      return `another read or write of the connection with ${address} still waits; await it first`;
    default:
      return `${address} cannot be used (${code.slice("x-".length)})`;
  }
}

/**
 * @internal The place of something that is not open yet, in its owner's handle table. `onEnd` runs when the owner ends before
 * that.
 */
export class Reservation {
  readonly #owner: HandleOwner | undefined;
  readonly #undo: (() => void) | undefined;
  #isOver = false;

  constructor({ owner }: Owned, onEnd: () => void = () => {}) {
    this.#owner = owner;
    this.#undo = owner?.own({
      close: () => {
        this.#isOver = true;
        onEnd();
      },
    });
  }

  /** The owner has ended; what opens now is nobody's. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** It is open: the owner's from now on. `handle` runs what `onOwned` is given when it is closed. */
  give(handle: { close(): void | PromiseLike<void>; onOwned(undo: () => void): void }): void {
    this.#undo?.();
    if (this.#owner !== undefined) handle.onOwned(this.#owner.own(handle));
  }

  /** It will not be opened. */
  drop(): void {
    this.#undo?.();
  }
}

/** An address as people write it: `[::1]:80`, `db:5432`. */
export function addressText({ host, port }: Address): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Whether `host` needs no resolving. */
export function isIpAddress(host: string): boolean {
  return host.includes(":") || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host);
}

/** @throws RangeError when that is no address; `portMin` is 0 where any free port will do. */
export function assertAddress(address: Address, portMin: 0 | 1): void {
  const { host, port } = (address ?? {}) as Partial<Address>;
  if (typeof host !== "string" || host === "")
    throw new RangeError(`an address has a host: a name or an IP address, not ${String(host)}`);
  if (typeof port !== "number" || !Number.isInteger(port) || port < portMin || port > portMax)
    throw new RangeError(`an address has a port: a whole number from ${portMin} to ${portMax}, not ${String(port)}`);
}

/** @throws RangeError when a limit that is given is no number above 0. */
export function assertLimits(limits: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(limits)) {
    if (value === undefined || (typeof value === "number" && value > 0)) continue;
    throw new RangeError(`${name} is a number above 0, not ${String(value)}`);
  }
}
