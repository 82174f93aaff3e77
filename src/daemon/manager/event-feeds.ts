/**
 * Event feeds: everybody who follows what happens in the system.
 *
 * Limits: `eventsMax` events wait for one who does not read; more are left out and counted, and it is told how many.
 *
 * @module
 */
import { Feed } from "../../context/stream.ts";
import type { ManagerEvent } from "../../control/manager.ts";

/** Events that wait for one subscriber. */
export const eventsMax = 1_000;

export class EventFeeds {
  readonly #now: () => number;
  readonly #feeds = new Map<Feed<ManagerEvent>, (event: ManagerEvent) => boolean>();
  #isOver = false;

  /** `now`: the time of day in milliseconds, for what this itself tells. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Nobody would hear an event. */
  get isEmpty(): boolean {
    return this.#feeds.size === 0;
  }

  /** What happens from now on, as far as it is wanted; after `end` nothing. */
  subscribe(isWanted: (event: ManagerEvent) => boolean = () => true): AsyncIterator<ManagerEvent> {
    const feed = new Feed<ManagerEvent>({
      itemsMax: eventsMax,
      missed: (count) => {
        const sentence = `${count} events were left out, because nobody read them`;
        return { type: "note", at: this.#now(), sentence };
      },
      left: () => this.#feeds.delete(feed),
    });
    if (this.#isOver) feed.end();
    else this.#feeds.set(feed, isWanted);
    return feed;
  }

  emit(event: ManagerEvent): void {
    for (const [feed, isWanted] of this.#feeds) if (isWanted(event)) feed.push(event);
  }

  /** There will be no more. */
  end(): void {
    this.#isOver = true;
    for (const feed of this.#feeds.keys()) feed.end();
  }
}
