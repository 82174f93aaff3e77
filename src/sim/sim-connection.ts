/**
 * Simulated connection: two ends, a lane of packets in each direction, and what can become of both.
 *
 * Guarantees: those of `base/network.ts`. A lane keeps its order: a packet arrives after its latency and never before one that
 * was sent earlier. Where bytes are cut and joined is a choice (`cut:a>b`, `join:a>b`; 0: each chunk as it was written), so is
 * how long they take (`lat:a>b`; 0: the least). What was written and not yet read never exceeds `bufferMaxBytes`.
 * As on a real host: an end that closes with unread bytes resets the other; bytes for an end that is gone are answered with a
 * reset; who sends and is never answered (`silenceMaxMs`) fails with ETIMEDOUT, who only reads waits for ever.
 * Not here: machines, ports and names (`sim-network.ts`).
 *
 * @module
 */
import {
  addressText,
  networkError,
  type Address,
  type Connection,
  type NetworkError,
  type NetworkErrorCode,
  type ReadOptions,
} from "../base/network.ts";
import type { Milliseconds } from "../base/platform.ts";
import type { Stream } from "./choices.ts";
import type { SimulatedHost } from "./host.ts";

/** Into how many chunks one write, or what of it there is room for, may be cut. */
export const chunksPerWriteMax = 4;
/** How many chunks one read may join. */
export const chunksPerReadMax = 4;

/** A simulated machine, as far as a packet meets it. */
export interface Station {
  readonly name: string;
  /** Without power it hears nothing. */
  isUp: boolean;
  /** Until then nothing comes or goes. */
  downUntilMs: Milliseconds;
  /** Ends on other machines whose packets came while there was no power. */
  readonly unheard: Set<SimConnection>;
}

/** What ends with an OS process: a connection, a listener, an attempt. */
export interface Socket {
  /** The OS process was killed; the machine tells whoever is at the other end. */
  killed(): void;
  /** The machine has no power any more; nobody is told. */
  lost(): void;
}

/** An OS process, as the owner of sockets. */
export interface SocketOwner {
  readonly name: string;
  readonly sockets: Set<Socket>;
}

/** What a connection asks of the network around it. */
export interface LinkWorld {
  readonly host: SimulatedHost;
  readonly silenceMaxMs: Milliseconds;
  /** How long a packet takes at least and at most. */
  latency(from: Station, to: Station): readonly [minMs: Milliseconds, maxMs: Milliseconds];
  /**
   * Runs `arrive` at `dueMs`, or after an outage of either machine that is then; what it returns cancels it.
   */
  arrival(from: Station, to: Station, dueMs: Milliseconds, arrive: () => void): () => void;
  /** Asks for faults before something is done with the connection. */
  strike(end: SimConnection, deed: "read" | "write"): void;
}

/** A place where a connection ends. */
export interface EndPlace {
  readonly station: Station;
  readonly owner: SocketOwner;
  readonly address: Address;
  readonly bufferMaxBytes: number;
}

interface Packet {
  readonly dueMs: Milliseconds;
  /** Whether its sender notices that nobody answers. */
  readonly wantsAnswer: boolean;
  readonly arrive: () => void;
}

/** One direction of a connection: packets on their way, oldest first. */
class Lane {
  readonly #world: LinkWorld;
  readonly #from: Station;
  readonly #to: Station;
  readonly #latency: Stream;
  readonly #minMs: Milliseconds;
  readonly #spreadMs: number;
  #packets: Packet[] = [];
  #cancel: (() => void) | null = null;
  #lastDueMs: Milliseconds = 0;

  constructor(world: LinkWorld, from: Station, to: Station) {
    const [minMs, maxMs] = world.latency(from, to);
    this.#world = world;
    this.#from = from;
    this.#to = to;
    this.#latency = world.host.stream(`lat:${from.name}>${to.name}`);
    this.#minMs = minMs;
    this.#spreadMs = Math.floor(maxMs - minMs) + 1;
  }

  send(sender: SimConnection, wantsAnswer: boolean, arrive: () => void): void {
    const latencyMs = this.#minMs + this.#latency.choose(this.#spreadMs);
    const dueMs = Math.max(this.#world.host.nowMs() + latencyMs, this.#lastDueMs);
    this.#lastDueMs = dueMs;
    this.#packets.push({ dueMs, wantsAnswer, arrive });
    if (this.#packets.length === 1) this.#arm(sender);
  }

  /** What is sent from now on arrives so much later. */
  hold(durationMs: Milliseconds): void {
    this.#lastDueMs = Math.max(this.#lastDueMs, this.#world.host.nowMs() + durationMs);
  }

  /** What is under way is lost. */
  clear(): void {
    this.#packets = [];
    this.#cancel?.();
    this.#cancel = null;
  }

  #arm(sender: SimConnection): void {
    const first = this.#packets[0];
    if (first === undefined) return;
    this.#cancel = this.#world.arrival(this.#from, this.#to, first.dueMs, () => {
      this.#cancel = null;
      this.#packets.shift();
      this.#deliver(sender, first);
      if (this.#cancel === null) this.#arm(sender);
    });
  }

  #deliver(sender: SimConnection, packet: Packet): void {
    if (this.#to.isUp) return packet.arrive();
    if (!packet.wantsAnswer) return;
    this.#to.unheard.add(sender);
    sender.unanswered();
  }
}

/** What both ends have in common. */
export class Link {
  /** Who connected to what, as `web>db:5432`: the subject of faults, and what streams are named by. */
  readonly route: string;
  readonly client: SimConnection;
  readonly server: SimConnection;
  #isBlackhole = false;

  constructor(world: LinkWorld, route: string, client: EndPlace, server: EndPlace) {
    this.route = route;
    this.client = new SimConnection(world, this, client, server.address);
    this.server = new SimConnection(world, this, server, client.address);
    this.client.join(this.server, new Lane(world, client.station, server.station));
    this.server.join(this.client, new Lane(world, server.station, client.station));
  }

  get isBlackhole(): boolean {
    return this.#isBlackhole;
  }

  /** From now on everything that is sent vanishes, both ways; what is under way arrives. */
  swallow(): void {
    this.#isBlackhole = true;
    this.client.deafen();
    this.server.deafen();
  }
}

interface Settle<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** One end of a simulated connection. */
export class SimConnection implements Connection, Socket {
  readonly local: Address;
  readonly remote: Address;
  readonly link: Link;
  readonly station: Station;
  readonly #world: LinkWorld;
  readonly #owner: SocketOwner;
  readonly #bufferMaxBytes: number;
  readonly #cut: Stream;
  #other!: SimConnection;
  #lane!: Lane;
  /** What has arrived, oldest first. */
  #inbox: Uint8Array[] = [];
  #hasOtherEnded = false;
  /** Written and, as far as this end knows, not read; at most `#bufferMaxBytes`. */
  #unreadBytes = 0;
  /** What a write that waits still has to send. */
  #pending: Uint8Array | null = null;
  #isEnding = false;
  #hasEnded = false;
  #failure: NetworkError | null = null;
  /** The machine does not know this end any more. */
  #isGone = false;
  #reader: Settle<Uint8Array | null> | null = null;
  #writer: Settle<void> | null = null;
  #enders: Settle<void>[] = [];
  #stopReadTimer: (() => void) | null = null;
  #stopSilence: (() => void) | null = null;
  #disown: (() => void) | undefined;
  /** Nothing that this end says is answered. */
  #isOtherDeaf = false;

  constructor(world: LinkWorld, link: Link, { station, owner, address, bufferMaxBytes }: EndPlace, remote: Address) {
    this.#world = world;
    this.link = link;
    this.station = station;
    this.local = address;
    this.remote = remote;
    this.#owner = owner;
    this.#bufferMaxBytes = bufferMaxBytes;
    this.#cut = world.host.stream(`cut:${link.route}`);
    owner.sockets.add(this);
  }

  /** @internal Once, by the link. */
  join(other: SimConnection, lane: Lane): void {
    this.#other = other;
    this.#lane = lane;
  }

  get isOpen(): boolean {
    return !this.#isGone;
  }

  // --- what its process does ---

  read({ timeoutMs = Infinity }: ReadOptions = {}): Promise<Uint8Array | null> {
    if (this.#reader !== null) return this.#refuse(this.#error("x-busy"));
    if (!this.#isGone) this.#world.strike(this, "read");
    return this.#world.host.waitFor((settle) => {
      this.#reader = settle;
      this.#serve();
      if (this.#reader === null || timeoutMs === Infinity) return;
      this.#stopReadTimer = this.#world.host.after(timeoutMs, () =>
        this.#takeReader()?.reject(this.#error("ETIMEDOUT")),
      );
    });
  }

  write(bytes: Uint8Array): Promise<void> {
    if (!this.#isGone) this.#world.strike(this, "write");
    const problem = this.#writeProblem();
    if (problem !== null) return this.#refuse(problem);
    const sentBytes = Math.min(bytes.byteLength, this.#bufferMaxBytes - this.#unreadBytes);
    this.#transmit(bytes.subarray(0, sentBytes));
    // Even a write that need not wait is a moment in which others get their turn, or its process its end.
    if (sentBytes === bytes.byteLength) return this.#world.host.operate(0, () => undefined);
    return this.#world.host.waitFor((settle) => {
      this.#writer = settle;
      this.#pending = bytes.subarray(sentBytes);
      this.#probe();
    });
  }

  end(): Promise<void> {
    if (this.#failure !== null) return this.#refuse(this.#failure);
    if (this.#hasEnded) return this.#world.host.operate(0, () => undefined);
    this.#isEnding = true;
    return this.#world.host.waitFor((settle) => {
      this.#enders.push(settle);
      this.#flush();
    });
  }

  onOwned(undo: () => void): void {
    this.#disown = undo;
  }

  close(): void {
    const wasGone = this.#isGone;
    this.#disown?.();
    const isUnread = this.#inbox.length > 0;
    this.#fail("x-closed");
    if (wasGone) return;
    if (isUnread) this.#sendReset();
    else this.#sendEnd();
  }

  reset(): void {
    const wasGone = this.#isGone;
    this.#disown?.();
    this.#fail("x-closed");
    if (!wasGone) this.#sendReset();
  }

  // --- what becomes of it ---

  /** The machine resets what a killed OS process held, or ends it in order as if it had been closed: both happen. */
  killed(): void {
    if (this.#isGone) return;
    const isOrderly = this.#world.host.stream(`killed:${this.link.route}`).choose(2) === 1;
    this.#drop();
    if (isOrderly) this.#sendEnd();
    else this.#sendReset();
  }

  lost(): void {
    this.#drop();
    this.#other.deafen();
  }

  /** The other end does not answer any more. */
  deafen(): void {
    this.#isOtherDeaf = true;
    this.#probe();
  }

  /** The network breaks the connection: this end at once, the other when it hears. */
  breakOff(losesUnderWay: boolean): void {
    if (losesUnderWay) this.#lane.clear();
    this.#fail("ECONNRESET");
    this.#sendReset();
  }

  /** What is sent from here arrives so much later. */
  hold(durationMs: Milliseconds): void {
    this.#lane.hold(durationMs);
  }

  /** Something was sent that will not be answered. Once: `silenceMaxMs` later this end gives up. */
  unanswered(): void {
    if (this.#isGone || this.#stopSilence !== null) return;
    this.#stopSilence = this.#world.host.after(this.#world.silenceMaxMs, () => this.#fail("ETIMEDOUT"));
  }

  /** The machine that did not hear is back, and knows nothing of this connection. */
  answeredByStranger(): void {
    this.#other.#sendReset();
  }

  // --- receiving ---

  #receive(bytes: Uint8Array): void {
    if (this.#isGone) return this.#sendReset();
    this.#inbox.push(bytes.slice());
    this.#serve();
  }

  #receiveEnd(): void {
    if (this.#isGone) return;
    this.#hasOtherEnded = true;
    this.#serve();
  }

  #receiveReset(): void {
    if (this.#isGone) return;
    // Some hosts still give what had arrived, some do not.
    const drops = this.#inbox.length > 0 && this.#world.host.stream(`unread:${this.link.route}`).choose(2) === 1;
    if (drops) this.#inbox = [];
    this.#fail("ECONNRESET");
  }

  /** Gives the waiting reader what there is. */
  #serve(): void {
    if (this.#reader === null) return;
    const isClosed = this.#failure?.code === "x-closed";
    if (this.#inbox.length > 0 && !isClosed) this.#takeReader()?.resolve(this.#take());
    else if (this.#hasOtherEnded && !isClosed) this.#takeReader()?.resolve(null);
    else if (this.#failure !== null) this.#takeReader()?.reject(this.#failure);
  }

  #takeReader(): Settle<Uint8Array | null> | null {
    const reader = this.#reader;
    this.#reader = null;
    this.#stopReadTimer?.();
    this.#stopReadTimer = null;
    return reader;
  }

  #take(): Uint8Array {
    const countMax = Math.min(this.#inbox.length, chunksPerReadMax);
    const count = countMax === 1 ? 1 : 1 + this.#world.host.stream(`join:${this.link.route}`).choose(countMax);
    const chunk = joined(this.#inbox.splice(0, count));
    const other = this.#other;
    if (!this.#isGone) this.#send(false, () => other.#makeRoom(chunk.byteLength));
    return chunk;
  }

  // --- sending ---

  #transmit(bytes: Uint8Array): void {
    this.#unreadBytes += bytes.byteLength;
    const other = this.#other;
    for (const piece of this.#pieces(bytes)) this.#send(true, () => other.#receive(piece));
  }

  /** Cuts what is sent at chosen places. */
  #pieces(bytes: Uint8Array): Uint8Array[] {
    if (bytes.byteLength === 0) return [];
    if (bytes.byteLength === 1) return [bytes];
    const cuts = new Set<number>();
    for (let count = this.#cut.choose(chunksPerWriteMax); count > 0; count -= 1) {
      cuts.add(1 + this.#cut.choose(bytes.byteLength - 1));
    }
    let from = 0;
    return [...cuts]
      .toSorted((one, other) => one - other)
      .concat(bytes.byteLength)
      .map((to) => {
        const piece = bytes.subarray(from, to);
        from = to;
        return piece;
      });
  }

  #makeRoom(readBytes: number): void {
    this.#unreadBytes -= readBytes;
    if (!this.#isGone) this.#flush();
  }

  /** Sends what waits for room, then the end if it is wanted. */
  #flush(): void {
    if (this.#pending !== null) {
      const sentBytes = Math.min(this.#pending.byteLength, this.#bufferMaxBytes - this.#unreadBytes);
      // As TCP does: filling every little gap would cut a stream into ever smaller pieces.
      if (sentBytes < Math.min(this.#pending.byteLength, this.#bufferMaxBytes / 2)) return;
      const rest = this.#pending.subarray(sentBytes);
      this.#transmit(this.#pending.subarray(0, sentBytes));
      this.#pending = rest.byteLength > 0 ? rest : null;
      if (this.#pending !== null) return;
      this.#writer?.resolve();
      this.#writer = null;
    }
    if (!this.#isEnding) return;
    this.#sendEnd();
    for (const ender of this.#enders.splice(0)) ender.resolve();
  }

  #sendEnd(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const other = this.#other;
    this.#send(true, () => other.#receiveEnd());
  }

  #sendReset(): void {
    const other = this.#other;
    this.#send(false, () => other.#receiveReset());
  }

  #send(wantsAnswer: boolean, arrive: () => void): void {
    if (!this.link.isBlackhole) this.#lane.send(this, wantsAnswer, arrive);
    else if (wantsAnswer) this.unanswered();
  }

  /** Who waits for room asks for it again and again, and so notices that nobody is there. */
  #probe(): void {
    if (!this.#isOtherDeaf || this.#pending === null) return;
    const { station } = this.#other;
    if (station.isUp && !this.link.isBlackhole) return this.answeredByStranger();
    station.unheard.add(this);
    this.unanswered();
  }

  // --- ending ---

  #writeProblem(): NetworkError | null {
    if (this.#failure !== null) return this.#failure;
    if (this.#isEnding) return this.#error("EPIPE");
    return this.#pending === null ? null : this.#error("x-busy");
  }

  /** Whoever waits is told, and everybody after. */
  #fail(code: NetworkErrorCode): void {
    if (this.#failure === null || code === "x-closed") this.#failure = this.#error(code);
    this.#leave();
    this.#serve();
    this.#writer?.reject(this.#failure);
    this.#writer = null;
    for (const ender of this.#enders.splice(0)) ender.reject(this.#failure);
  }

  /** Nobody is left who could be told. */
  #drop(): void {
    this.#failure ??= this.#error("x-closed");
    this.#leave();
    this.#inbox = [];
    this.#takeReader();
    this.#writer = null;
    this.#enders = [];
  }

  #leave(): void {
    this.#isGone = true;
    this.#pending = null;
    this.#owner.sockets.delete(this);
    this.#stopSilence?.();
    this.#stopSilence = null;
  }

  #error(code: NetworkErrorCode): NetworkError {
    return networkError(code, addressText(this.remote));
  }

  #refuse(error: NetworkError): Promise<never> {
    return this.#world.host.operate(0, () => {
      throw error;
    });
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [first] = chunks;
  if (first !== undefined && chunks.length === 1) return first;
  const bytes = new Uint8Array(chunks.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}
