/**
 * Accept queue: where connections wait for `accept`, and those that accept wait for connections; what every listener has,
 * real or simulated.
 *
 * Guarantees: first come, first served on both sides. An acceptor whose owner has ended takes no connection.
 * Limit: `backlogMax` connections wait; whoever brings one asks `isFull` first.
 * Not here: where connections come from.
 *
 * @module
 */
import { Reservation, type Connection, type Owned } from "./network.ts";

/** What a listener hands out. */
interface Accepted extends Connection {
  /** Runs `undo` when it is closed. */
  onOwned(undo: () => void): void;
}

export class AcceptQueue<Item extends Accepted> {
  readonly #backlogMax: number;
  /** At most `#backlogMax`. */
  #backlog: Item[] = [];
  readonly #acceptors = new Set<(connection: Item | null) => void>();
  #isClosed = false;

  constructor(backlogMax: number) {
    this.#backlogMax = backlogMax;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isFull(): boolean {
    return this.#acceptors.size === 0 && this.#backlog.length >= this.#backlogMax;
  }

  /** Gives the next connection to `resolve`, now or later; null once the queue is closed. */
  accept(options: Owned, resolve: (connection: Item | null) => void): void {
    const take = (connection: Item | null): void => {
      this.#acceptors.delete(take);
      if (connection === null) place.drop();
      else place.give(connection);
      resolve(connection);
    };
    const place = new Reservation(options, () => take(null));
    const first = this.#backlog.shift();
    if (first !== undefined || this.#isClosed) take(first ?? null);
    else this.#acceptors.add(take);
  }

  /** A connection has come; only where the queue is not full. */
  offer(connection: Item): void {
    const [take] = this.#acceptors;
    if (take === undefined) this.#backlog.push(connection);
    else take(connection);
  }

  /** Resets what waits to be accepted, and tells those that accept. Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#backlog.splice(0)) connection.reset();
    for (const take of [...this.#acceptors]) take(null);
  }

  /** Closes as the end of the OS process does: nobody who accepts is left to be told. */
  kill(): void {
    this.#acceptors.clear();
    this.close();
  }

  /** Closes as a power loss does: nobody at all is told. */
  lose(): void {
    this.#backlog = [];
    this.kill();
  }
}
