/**
 * Loads: clients of the real programs and of the web service. Whoever is served notices nothing of the daemon's deaths: no
 * connection ends, no request fails, no number is lost.
 *
 * @module
 */
import { Agent, get } from "node:http";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Ports, Programs } from "./fleet.ts";
import type { Pausing } from "./client.ts";
import { inTime } from "./in-time.ts";

/** From one request to the next of each client, in milliseconds. */
const pauseMs = 40;
/** The longest that a client waits for an answer, in milliseconds: several starts of a daemon and of a service. */
export const answerMsMax = 30_000;

/** What somebody knows who stops the service now and then. */
export interface Demand {
  /** It is wanted up, whatever became of the operation that is under way. */
  isUp(): boolean;
  /** How many operations were begun so far that have it down. */
  downsCount(): number;
}

const alwaysUp: Demand = { isUp: () => true, downsCount: () => 0 };

/** A client that is at work until it is ended. */
export interface Load {
  readonly name: string;
  answers: number;
  readonly problems: string[];
  /** One question. False: it was not answered, as it may be. */
  step(): Promise<boolean>;
  close(): void;
}

/** Clients of all that are there. `web`: whether it is wanted. */
export async function openLoads(ports: Ports, programs: Programs, web: Demand): Promise<Load[]> {
  const loads: Load[] = [new HttpLoad("web", ports.web, web)];
  if (programs.nginx !== undefined) loads.push(new HttpLoad("nginx", ports.nginx, alwaysUp));
  if (programs.redis !== undefined) loads.push(new RedisLoad(await opened(ports.redis)));
  if (programs.nats !== undefined) loads.push(new NatsLoad(await opened(ports.nats)));
  return loads;
}

/** Asks again and again until it is over. */
export async function work(self: Pausing, load: Load, isOver: () => boolean): Promise<void> {
  while (!isOver() && load.problems.length === 0) {
    await inTime(load.step(), answerMsMax, "it has not answered").then(
      (isAnswered) => (load.answers += isAnswered ? 1 : 0),
      (error: unknown) => load.problems.push(`${load.name}: ${String(error)} after ${load.answers} answers`),
    );
    await self.sleep(pauseMs);
  }
  load.close();
}

/**
 * A request on a connection of its own each time. From the first answer that was asked for while the service was wanted up, until
 * somebody stops it, each must be answered.
 */
class HttpLoad implements Load {
  readonly name: string;
  answers = 0;
  readonly problems: string[] = [];
  readonly #port: number;
  readonly #demand: Demand;
  readonly #agent = new Agent();
  #isServed = false;

  constructor(name: string, port: number, demand: Demand) {
    this.name = name;
    this.#port = port;
    this.#demand = demand;
  }

  async step(): Promise<boolean> {
    const { isUp, downsCount } = this.#demand;
    const before = downsCount();
    const wasUp = isUp();
    const isStill = (): boolean => wasUp && isUp() && downsCount() === before;
    this.#isServed &&= wasUp;
    try {
      await this.#request();
      this.#isServed ||= isStill();
      return true;
    } catch (error) {
      if (this.#isServed && isStill()) throw error;
      this.#isServed = false;
      return false;
    }
  }

  #request(): Promise<void> {
    const { promise, resolve, reject } = settled<void>();
    const request = get({ port: this.#port, host: "127.0.0.1", agent: this.#agent }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => void (text += part));
      response.once("end", () => (text === "hello" ? resolve() : reject(new Error(`it answered ${text}`))));
      response.once("error", reject);
    });
    request.once("error", reject);
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** One connection for the whole time: it ends with the server. */
abstract class ConnectedLoad implements Load {
  abstract readonly name: string;
  answers = 0;
  readonly problems: string[] = [];
  protected readonly socket: Socket;
  #lines: string[] = [];
  #isClosed = false;
  #heard: (() => void) | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    createInterface({ input: socket }).on("line", (line) => {
      this.#lines.push(line);
      this.#heard?.();
    });
    socket.on("error", (error) => this.#ended(error.message));
    socket.on("close", () => this.#ended("it closed the connection"));
  }

  abstract step(): Promise<boolean>;

  close(): void {
    this.#isClosed = true;
    this.socket.destroy();
  }

  protected async line(): Promise<string> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) return line;
      if (this.problems.length > 0) throw new Error("there is no connection");
      const { promise, resolve } = settled<void>();
      this.#heard = resolve;
      await promise;
    }
  }

  #ended(why: string): void {
    if (!this.#isClosed) this.problems.push(`${this.name}: ${why} after ${this.answers} answers`);
    this.#heard?.();
  }
}

/** Writes increasing numbers and reads them back. */
class RedisLoad extends ConnectedLoad {
  readonly name = "redis";

  async step(): Promise<boolean> {
    const number = String(this.answers + 1);
    this.socket.write(`INCR number\r\nGET number\r\n`);
    const got = [await this.line(), await this.line(), await this.line()];
    const want = [`:${number}`, `$${number.length}`, number];
    if (got.join() !== want.join()) throw new Error(`it answered ${got.join()} where ${want.join()} is due`);
    return true;
  }
}

/** Publishes numbers and is given each of them once and in order. */
class NatsLoad extends ConnectedLoad {
  readonly name = "nats";

  constructor(socket: Socket) {
    super(socket);
    socket.write('CONNECT {"verbose":false,"pedantic":false}\r\nSUB numbers 1\r\n');
  }

  async step(): Promise<boolean> {
    const number = String(this.answers + 1);
    this.socket.write(`PUB numbers ${number.length}\r\n${number}\r\n`);
    for (;;) {
      const line = await this.line();
      if (line.startsWith("INFO") || line.startsWith("+OK")) continue;
      if (line === "PING") {
        this.socket.write("PONG\r\n");
        continue;
      }
      const text = line.startsWith("MSG numbers 1 ") ? await this.line() : line;
      if (text === number) return true;
      throw new Error(`it gave ${text} where ${number} is due`);
    }
  }
}

function opened(port: number): Promise<Socket> {
  const { promise, resolve, reject } = settled<Socket>();
  const socket = connect({ port, host: "127.0.0.1" }, () => resolve(socket));
  socket.once("error", reject);
  return promise;
}

function settled<T>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
} {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((fulfil, refuse) => {
    resolve = fulfil;
    reject = refuse;
  });
  return { promise, resolve, reject };
}
