/**
 * Simulated network: machines with addresses, ports and names, and everything that the catalogue of faults can do to them.
 *
 * Guarantees: `on` gives a `Network` as `base/network.ts` wants it; every wait is virtual time or another simulated process, so
 * a run is the same for the same choices. The network faults strike where a real network's would, each with a line of the
 * story: `net-down`, `dns-failure`, `emfile` and `port-in-use` for a time, `slow-network` one write, `reset` and `blackhole` one
 * connection for ever. Without faults the only choices are latencies and where bytes are cut.
 * What ends: a killed OS process's connections are reset (or, the other choice, ended in order, as when it had closed them); a
 * machine without power says nothing, and once it is back it answers what it does not know with a reset.
 * Limits: TCP alone, no bandwidth, no name has a time to live; a process that ended while it waited in `accept` without being
 * its `owner` still takes its turn, as in Node.
 * Not here: how bytes travel (`sim-connection.ts`), when faults strike (the plan's `FaultSource`).
 *
 * @module
 */
import { AcceptQueue } from "../base/accept-queue.ts";
import {
  addressText,
  assertAddress,
  assertLimits,
  backlogMaxDefault,
  bufferMaxBytesDefault,
  connectTimeoutMsDefault,
  isIpAddress,
  networkError,
  portMax,
  Reservation,
  type Address,
  type Connection,
  type ConnectOptions,
  type Listener,
  type ListenOptions,
  type Network,
  type NetworkErrorCode,
  type Owned,
} from "../base/network.ts";
import type { Milliseconds } from "../base/platform.ts";
import type { FaultName } from "../faults/fault.ts";
import type { SimulatedHost } from "./host.ts";
import {
  Link,
  type LinkWorld,
  type SimConnection,
  type Socket,
  type SocketOwner,
  type Station,
} from "./sim-connection.ts";
import { lastingMs, lastingStepMs } from "./sim-subject.ts";

/** Sockets that one OS process may have open, unless it was said otherwise. */
export const socketsMaxDefault = 1_000;
/** How long an end whose bytes nobody answers goes on sending, unless it was said otherwise: TCP's quarter of an hour. */
export const silenceMaxMsDefault: Milliseconds = 900_000;
/** The first port that is given to those who want any. */
export const anyPortMin = 49_152;

/** The faults that strike a network. */
export type NetworkFault = Extract<
  FaultName,
  "net-down" | "reset" | "blackhole" | "slow-network" | "port-in-use" | "dns-failure" | "emfile"
>;

/** What can be chosen about a simulated network. */
export interface SimNetworkOptions {
  /** The least that a packet takes between two machines, in milliseconds; default 1. Within a machine it is 0. */
  readonly latencyMinMs?: Milliseconds;
  /** The most; default 10. Within a machine it is 1. */
  readonly latencyMaxMs?: Milliseconds;
  /** Names beside those of the machines: each stands for IP addresses or machines. */
  readonly names?: Readonly<Record<string, readonly string[]>>;
  /** Open sockets of one OS process; one more fails with EMFILE; default `socketsMaxDefault`. */
  readonly socketsMax?: number;
  /** Default `silenceMaxMsDefault`. */
  readonly silenceMaxMs?: Milliseconds;
}

interface Machine extends Station {
  readonly ip: string;
  readonly listeners: Set<SimListener>;
  nextPort: number;
}

interface Owner extends SocketOwner {
  readonly machine: Machine;
}

export class SimNetwork {
  readonly #host: SimulatedHost;
  readonly #options: Required<SimNetworkOptions>;
  readonly #world: LinkWorld;
  readonly #machines = new Map<string, Machine>();
  readonly #owners = new Map<string, Owner>();
  /** In order of their opening; closed ones are dropped when it grows. */
  #links: Link[] = [];
  #linksSweepAt = 64;
  /** Until when a fault lasts, by `fault subject`. */
  readonly #outages = new Map<string, Milliseconds>();

  /** What waits for the end of an outage of `net-down`, oldest first. */
  readonly #heldBack = new Set<() => void>();

  constructor(host: SimulatedHost, options: SimNetworkOptions = {}) {
    const { names = {}, socketsMax = socketsMaxDefault, silenceMaxMs = silenceMaxMsDefault } = options;
    const { latencyMinMs = 1, latencyMaxMs = Math.max(10, latencyMinMs) } = options;
    assertLimits({ socketsMax, silenceMaxMs, latencyMaxMs });
    if (!(latencyMinMs >= 0 && latencyMinMs <= latencyMaxMs))
      throw new RangeError(`latencyMinMs is a number from 0 to latencyMaxMs (${latencyMaxMs}), not ${latencyMinMs}`);
    this.#host = host;
    this.#options = { names, socketsMax, silenceMaxMs, latencyMinMs, latencyMaxMs };
    this.#world = {
      host,
      silenceMaxMs,
      latency: (from, to) => (from === to ? [0, 1] : [latencyMinMs, latencyMaxMs]),
      arrival: (from, to, dueMs, arrive) => this.#arrival(from, to, dueMs, arrive),
      strike: (end, deed) => this.#strikeEnd(end, deed),
    };
  }

  /**
   * The network as an OS process `owner` of `machine` sees it; both are made when they are first named. `owner` is what
   * `ownerKilled` ends; default: the machine's name. A machine is reached by its name, its IP address, and from itself by
   * `localhost`.
   * @throws Error when `owner` is known on another machine.
   */
  on(machine: string, owner: string = machine): Network {
    const found = this.#ownerNamed(owner, this.#machineNamed(machine));
    return {
      listen: (address, options) => this.#listen(found, address, options),
      connect: (address, options) => this.#connect(found, address, options),
      resolve: (name) => this.#resolve(found, name),
    };
  }

  /** How many sockets an OS process has open: connections, listeners, attempts to connect. */
  socketsOpen(owner: string): number {
    return this.#owners.get(owner)?.sockets.size ?? 0;
  }

  // --- what ends ---

  /** An OS process was killed: its machine closes its sockets, and those at the other ends are told. */
  ownerKilled(owner: string): void {
    for (const socket of [...(this.#owners.get(owner)?.sockets ?? [])]) socket.killed();
  }

  /** All OS processes of a machine were killed. */
  hostKilled(machine: string): void {
    for (const owner of this.#owners.values()) if (owner.machine.name === machine) this.ownerKilled(owner.name);
  }

  /** A machine has lost power: it forgets everything and says nothing, until `hostBack`. */
  hostLost(machine: string): void {
    const station = this.#machineNamed(machine);
    station.isUp = false;
    for (const owner of this.#owners.values()) {
      if (owner.machine === station) for (const socket of [...owner.sockets]) socket.lost();
    }
  }

  /** A machine has power again; who still believes in a connection to it learns better. */
  hostBack(machine: string): void {
    const station = this.#machineNamed(machine);
    if (station.isUp) return;
    station.isUp = true;
    const unheard = [...station.unheard];
    station.unheard.clear();
    for (const end of unheard) end.answeredByStranger();
  }

  // --- faults ---

  /**
   * Makes a fault strike now, whatever the plan says. `target`: a machine for `net-down` and `dns-failure`, an OS process
   * (`owner`) for `emfile`, `machine:port` for `port-in-use`, else a part of a connection's route such as `db:5432`; default:
   * all there are (for `port-in-use`: none). `durationMs` is for those that last; default `lastingStepMs`.
   */
  strike(fault: NetworkFault, target?: string, durationMs: Milliseconds = lastingStepMs): void {
    const links = this.#links.filter(({ route, client }) => client.isOpen && route.includes(target ?? ""));
    const named = (names: Iterable<string>): readonly string[] => (target === undefined ? [...names] : [target]);
    switch (fault) {
      case "net-down":
        for (const name of named(this.#machines.keys())) this.#takeDown(this.#machineNamed(name), durationMs);
        break;
      case "dns-failure":
        for (const name of named(this.#machines.keys())) this.#beginOutage(fault, name, durationMs);
        break;
      case "emfile":
        for (const name of named(this.#owners.keys())) this.#beginOutage(fault, name, durationMs);
        break;
      case "port-in-use":
        for (const place of named([])) this.#beginOutage(fault, place, durationMs);
        break;
      case "reset":
        for (const { client } of links) this.#breakOff(client);
        break;
      case "blackhole":
        for (const link of links) this.#swallow(link);
        break;
      case "slow-network":
        for (const { client, server } of links) for (const end of [client, server]) this.#slow(end, durationMs);
        break;
    }
  }

  /**
   * Faults that last (`net-down`, `dns-failure`, `emfile`, `port-in-use`) end now. What `slow-network` holds up still comes late,
   * and a blackhole stays one: who has no deadline waits on.
   */
  calm(): void {
    this.#outages.clear();
    for (const machine of this.#machines.values()) machine.downUntilMs = 0;
    for (const proceed of [...this.#heldBack]) proceed();
  }

  #strikeEnd(end: SimConnection, deed: "read" | "write"): void {
    const { faults } = this.#host;
    const { link, station } = end;
    if (deed === "write") {
      if (faults.strikes("net-down", station.name)) this.#takeDown(station, this.#durationOf("net-down", station.name));
      if (faults.strikes("slow-network", link.route)) this.#slow(end, this.#durationOf("slow-network", link.route));
      if (!link.isBlackhole && faults.strikes("blackhole", link.route)) this.#swallow(link);
    }
    if (faults.strikes("reset", link.route)) this.#breakOff(end);
  }

  #breakOff(end: SimConnection): void {
    const { route } = end.link;
    const losesUnderWay = this.#host.faults.severity("reset", route, 2) === 1;
    this.#host.tell(
      route,
      () => `is reset, and what was under way ${losesUnderWay ? "is lost" : "still arrives"} (reset)`,
    );
    end.breakOff(losesUnderWay);
  }

  #swallow(link: Link): void {
    this.#host.tell(link.route, () => "swallows everything from now on, and nobody is told (blackhole)");
    link.swallow();
  }

  #slow(end: SimConnection, durationMs: Milliseconds): void {
    this.#host.tell(
      end.link.route,
      () => `is slow: what ${end.station.name} sends arrives ${durationMs} ms later (slow-network)`,
    );
    end.hold(durationMs);
  }

  #takeDown(station: Station, durationMs: Milliseconds): void {
    this.#host.tell(station.name, () => `has no network, for ${durationMs} ms (net-down)`);
    station.downUntilMs = Math.max(station.downUntilMs, this.#host.nowMs() + durationMs);
  }

  #isDown(station: Station): boolean {
    return station.downUntilMs > this.#host.nowMs();
  }

  #beginOutage(fault: keyof typeof outageStory, subject: string, durationMs: Milliseconds): void {
    this.#host.tell(subject, () => `${outageStory[fault]}, for ${durationMs} ms (${fault})`);
    this.#outages.set(`${fault} ${subject}`, this.#host.nowMs() + durationMs);
  }

  /** Whether a fault that lasts holds now; asks whether it begins. */
  #isOut(fault: keyof typeof outageStory, subject: string): boolean {
    if ((this.#outages.get(`${fault} ${subject}`) ?? 0) > this.#host.nowMs()) return true;
    if (!this.#host.faults.strikes(fault, subject)) return false;
    this.#beginOutage(fault, subject, this.#durationOf(fault, subject));
    return true;
  }

  #durationOf(fault: NetworkFault, subject: string): Milliseconds {
    return lastingMs(this.#host, fault, subject);
  }

  // --- names ---

  #machineNamed(name: string): Machine {
    let machine = this.#machines.get(name);
    if (machine === undefined) {
      const index = this.#machines.size + 1;
      const ip = `10.0.${index >> 8}.${index & 0xff}`;
      machine = {
        name,
        ip,
        isUp: true,
        downUntilMs: 0,
        unheard: new Set(),
        listeners: new Set(),
        nextPort: anyPortMin,
      };
      this.#machines.set(name, machine);
    }
    return machine;
  }

  #ownerNamed(name: string, machine: Machine): Owner {
    let owner = this.#owners.get(name);
    if (owner === undefined) this.#owners.set(name, (owner = { name, machine, sockets: new Set() }));
    if (owner.machine !== machine)
      throw new Error(`the OS process ${name} is on ${owner.machine.name}, not ${machine.name}`);
    return owner;
  }

  async #resolve({ machine }: Owner, name: string): Promise<readonly string[]> {
    return this.#host.operate(this.#lookupMs(machine, name), () => this.#lookup(machine, name));
  }

  #lookupMs(machine: Machine, name: string): Milliseconds {
    if (isIpAddress(name) || name === "localhost") return 0;
    const { latencyMinMs, latencyMaxMs } = this.#options;
    return latencyMinMs + this.#host.stream(`dns:${machine.name}`).choose(Math.floor(latencyMaxMs - latencyMinMs) + 1);
  }

  /** @throws NetworkError */
  #lookup(machine: Machine, name: string): readonly string[] {
    if (isIpAddress(name)) return [name];
    if (name === "localhost") return ["127.0.0.1"];
    if (this.#isDown(machine) || this.#isOut("dns-failure", machine.name)) throw networkError("EAI_AGAIN", name);
    const listed = Object.hasOwn(this.#options.names, name) ? this.#options.names[name] : undefined;
    const addresses = (listed ?? [name]).flatMap(
      (entry) => this.#machines.get(entry)?.ip ?? (isIpAddress(entry) ? entry : []),
    );
    if (addresses.length === 0) throw networkError("ENOTFOUND", name);
    return addresses;
  }

  #machineAt(ip: string, from: Machine): Machine | undefined {
    if (isLoopback(ip) || isWildcard(ip)) return from;
    return [...this.#machines.values()].find((machine) => machine.ip === ip);
  }

  // --- sockets ---

  /** Why an OS process gets no further socket, if so. */
  #socketProblem(owner: Owner): NetworkErrorCode | undefined {
    if (owner.sockets.size >= this.#options.socketsMax) return "EMFILE";
    return this.#isOut("emfile", owner.name) ? "EMFILE" : undefined;
  }

  async #listen(owner: Owner, address: Address, options: ListenOptions = {}): Promise<Listener> {
    const { backlogMax = backlogMaxDefault, bufferMaxBytes = bufferMaxBytesDefault } = options;
    assertAddress(address, 0);
    assertLimits({ backlogMax, bufferMaxBytes });
    const place = new Reservation(options);
    return this.#host.operate(this.#lookupMs(owner.machine, address.host), () => {
      const { machine } = owner;
      const text = addressText(address);
      place.drop();
      if (place.isOver) throw networkError("x-closed", text);
      const host = this.#lookup(machine, address.host)[0]!;
      if (this.#machineAt(host, machine) !== machine) throw networkError("x-EADDRNOTAVAIL", text);
      const problem = this.#socketProblem(owner);
      if (problem !== undefined) throw networkError(problem, text);
      const port = address.port === 0 ? this.#anyPort(machine) : address.port;
      const isTaken = [...machine.listeners].some(
        (other) => other.port === port && areInConflict(other.address.host, host),
      );
      if (isTaken || this.#isOut("port-in-use", `${machine.name}:${port}`)) throw networkError("EADDRINUSE", text);
      const limits = { owner, address: { host, port }, backlogMax, bufferMaxBytes };
      const listener = new SimListener(this.#host, machine.listeners, limits);
      place.give(listener);
      return listener;
    });
  }

  #anyPort(machine: Machine): number {
    const isTaken = (port: number): boolean => [...machine.listeners].some((listener) => listener.port === port);
    do {
      machine.nextPort = machine.nextPort >= portMax ? anyPortMin : machine.nextPort + 1;
    } while (isTaken(machine.nextPort));
    return machine.nextPort;
  }

  async #connect(owner: Owner, address: Address, options: ConnectOptions = {}): Promise<Connection> {
    const { timeoutMs = connectTimeoutMsDefault, bufferMaxBytes = bufferMaxBytesDefault } = options;
    assertAddress(address, 1);
    assertLimits({ timeoutMs, bufferMaxBytes });
    return this.#host.waitFor((settle) => {
      const place = new Reservation(options, () => attempt.fail("x-closed"));
      const attempt = new Attempt(this.#host, owner, address, bufferMaxBytes, {
        resolve(connection) {
          place.give(connection);
          settle.resolve(connection);
        },
        reject(error) {
          place.drop();
          settle.reject(error);
        },
      });
      const problem = this.#socketProblem(owner);
      if (problem !== undefined) return attempt.fail(problem);
      attempt.begin(timeoutMs);
      this.#host.after(this.#lookupMs(owner.machine, address.host), () => this.#call(attempt, address.host));
    });
  }

  /** Resolves the name, and sends the first packet. */
  #call(attempt: Attempt, name: string): void {
    const { machine } = attempt.owner;
    if (attempt.isOver) return;
    let ips: readonly string[];
    try {
      ips = this.#lookup(machine, name);
    } catch (error) {
      return attempt.settle.reject(error);
    }
    const { faults } = this.#host;
    if (!this.#isDown(machine) && faults.strikes("net-down", machine.name))
      this.#takeDown(machine, this.#durationOf("net-down", machine.name));
    const target = ips.map((ip) => this.#machineAt(ip, machine)).find((found) => found !== undefined);
    if (this.#isDown(machine) || target === undefined) return attempt.fail("ENETUNREACH");
    const found = ips.find((ip) => this.#machineAt(ip, machine) === target)!;
    const ip = isWildcard(found) ? "127.0.0.1" : found;
    const route = `${machine.name}>${target.name}:${attempt.address.port}`;
    if (faults.strikes("blackhole", route)) {
      this.#host.tell(route, () => "swallows an attempt to connect (blackhole)");
      return;
    }
    this.#travel(machine, target, () => this.#answer(attempt, target, ip, route));
  }

  /** What `target` makes of the first packet. */
  #answer(attempt: Attempt, target: Machine, ip: string, route: string): void {
    const { owner, address, bufferMaxBytes } = attempt;
    if (attempt.isOver) return;
    const back = (arrive: () => void): void => this.#travel(target, owner.machine, arrive);
    const listener = [...target.listeners].find(
      (listener) => listener.port === address.port && reaches(ip, listener.address.host),
    );
    if (listener === undefined) return back(() => attempt.fail("ECONNREFUSED"));
    if (listener.isFull) {
      // A full backlog refuses on some hosts and is silent on others.
      if (this.#host.stream(`backlog:${route}`).choose(2) === 0) back(() => attempt.fail("ECONNREFUSED"));
      return;
    }
    const client = { host: isLoopback(ip) ? ip : owner.machine.ip, port: this.#anyPort(owner.machine) };
    const server = { host: ip, port: address.port };
    const link = new Link(
      this.#world,
      route,
      { station: owner.machine, owner, address: client, bufferMaxBytes },
      { station: target, owner: listener.owner, address: server, bufferMaxBytes: listener.bufferMaxBytes },
    );
    this.#keep(link);
    attempt.handOver();
    back(() => attempt.connected(link.client));
    // The new end counts already, so one more than the limit is too many.
    const isTooMany = listener.owner.sockets.size > this.#options.socketsMax;
    if (isTooMany || this.#isOut("emfile", listener.owner.name)) {
      this.#host.tell(addressText(server), () => "accepts and closes at once: too many files are open (emfile)");
      link.server.close();
    } else listener.offer(link.server);
  }

  /** Carries a packet that belongs to no connection yet. */
  #travel(from: Machine, to: Machine, arrive: () => void): void {
    const [minMs, maxMs] = this.#world.latency(from, to);
    const latencyMs = minMs + this.#host.stream(`lat:${from.name}>${to.name}`).choose(Math.floor(maxMs - minMs) + 1);
    this.#arrival(from, to, this.#host.nowMs() + latencyMs, () => {
      if (to.isUp) arrive();
    });
  }

  /** What would arrive in an outage is sent again by its machine until it arrives. */
  #arrival(from: Station, to: Station, dueMs: Milliseconds, arrive: () => void): () => void {
    const nowMs = this.#host.nowMs();
    let cancel = this.#host.after(Math.max(0, dueMs - nowMs), () => {
      const downUntilMs = Math.max(from.downUntilMs, to.downUntilMs);
      if (downUntilMs <= this.#host.nowMs()) return arrive();
      cancel = this.#holdBack(downUntilMs, () => {
        cancel = this.#arrival(from, to, 0, arrive);
      });
    });
    return () => cancel();
  }

  /** Runs `proceed` at `untilMs`, or when `calm` is called before that. */
  #holdBack(untilMs: Milliseconds, proceed: () => void): () => void {
    const end = (): void => {
      cancelTimer();
      this.#heldBack.delete(go);
    };
    const go = (): void => {
      end();
      proceed();
    };
    const cancelTimer = this.#host.after(untilMs - this.#host.nowMs(), go);
    this.#heldBack.add(go);
    return end;
  }

  #keep(link: Link): void {
    this.#links.push(link);
    if (this.#links.length < this.#linksSweepAt) return;
    this.#links = this.#links.filter(({ client, server }) => client.isOpen || server.isOpen);
    this.#linksSweepAt = Math.max(64, 2 * this.#links.length);
  }
}

const outageStory = {
  "dns-failure": "can resolve no names",
  emfile: "can open no further socket",
  "port-in-use": "is taken by somebody else",
} as const;

function isLoopback(ip: string): boolean {
  return ip.startsWith("127.") || ip === "::1";
}

function isWildcard(ip: string): boolean {
  return ip === "0.0.0.0" || ip === "::";
}

/** Whether two listeners of one port cannot both be. */
function areInConflict(one: string, other: string): boolean {
  return one === other || isWildcard(one) || isWildcard(other);
}

/** Whether what is sent to `ip` reaches who listens on `host`. */
function reaches(ip: string, host: string): boolean {
  return host === ip || isWildcard(host);
}

/** One `connect`, until it is known what becomes of it. */
class Attempt implements Socket {
  readonly owner: Owner;
  readonly address: Address;
  readonly bufferMaxBytes: number;
  readonly settle: { resolve(connection: SimConnection): void; reject(error: unknown): void };
  readonly #host: SimulatedHost;
  #stopTimer: (() => void) | null = null;
  isOver = false;

  constructor(
    host: SimulatedHost,
    owner: Owner,
    address: Address,
    bufferMaxBytes: number,
    settle: { resolve(connection: SimConnection): void; reject(error: unknown): void },
  ) {
    this.#host = host;
    this.owner = owner;
    this.address = address;
    this.bufferMaxBytes = bufferMaxBytes;
    this.settle = {
      resolve: (connection) => this.#leave() && settle.resolve(connection),
      reject: (error) => this.#leave() && settle.reject(error),
    };
  }

  begin(timeoutMs: Milliseconds): void {
    this.owner.sockets.add(this);
    if (timeoutMs !== Infinity) this.#stopTimer = this.#host.after(timeoutMs, () => this.fail("ETIMEDOUT"));
  }

  /** From now on the new connection is the OS process's socket. */
  handOver(): void {
    this.owner.sockets.delete(this);
  }

  fail(code: NetworkErrorCode): void {
    this.settle.reject(networkError(code, addressText(this.address)));
  }

  /** Who has given up answers with a reset, as a host does that knows of no such connection. */
  connected(end: SimConnection): void {
    if (this.isOver) end.reset();
    else this.settle.resolve(end);
  }

  killed(): void {
    this.#leave();
  }

  lost(): void {
    this.#leave();
  }

  /** True the first time. */
  #leave(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    this.owner.sockets.delete(this);
    this.#stopTimer?.();
    return true;
  }
}

interface ListenerPlace {
  readonly owner: Owner;
  readonly address: Address;
  readonly backlogMax: number;
  readonly bufferMaxBytes: number;
}

class SimListener implements Listener, Socket {
  readonly address: Address;
  readonly owner: Owner;
  readonly bufferMaxBytes: number;
  readonly #host: SimulatedHost;
  readonly #listeners: Set<SimListener>;
  readonly #queue: AcceptQueue<SimConnection>;
  #disown: (() => void) | undefined;

  constructor(host: SimulatedHost, listeners: Set<SimListener>, place: ListenerPlace) {
    this.address = place.address;
    this.owner = place.owner;
    this.bufferMaxBytes = place.bufferMaxBytes;
    this.#host = host;
    this.#listeners = listeners;
    this.#queue = new AcceptQueue(place.backlogMax);
    listeners.add(this);
    this.owner.sockets.add(this);
  }

  get port(): number {
    return this.address.port;
  }

  get isFull(): boolean {
    return this.#queue.isFull;
  }

  accept(options: Owned = {}): Promise<Connection | null> {
    return this.#host.waitFor((settle) => this.#queue.accept(options, (connection) => settle.resolve(connection)));
  }

  onOwned(undo: () => void): void {
    this.#disown = undo;
  }

  offer(end: SimConnection): void {
    this.#queue.offer(end);
  }

  close(): void {
    this.#leave();
    this.#disown?.();
    this.#queue.close();
  }

  killed(): void {
    this.#leave();
    this.#queue.kill();
  }

  lost(): void {
    this.#leave();
    this.#queue.lose();
  }

  #leave(): void {
    this.#listeners.delete(this);
    this.owner.sockets.delete(this);
  }
}
