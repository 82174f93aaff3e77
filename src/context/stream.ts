/**
 * Stream: what is done to an endless answer on its way, such that leaving it is felt at once at its source.
 *
 * Unlike an async generator, whose `return` waits until the item that it awaits has come: a source that is silent would
 * keep whoever has left for ever.
 *
 * @module
 */

/** `items`, each as `map` makes it. When `map` throws, the source is left. */
export function mapItems<Item, Mapped>(items: AsyncIterable<Item>, map: (item: Item) => Mapped): AsyncIterable<Mapped> {
  return {
    [Symbol.asyncIterator]() {
      const source = items[Symbol.asyncIterator]();
      const leave = async (): Promise<IteratorResult<Mapped>> => {
        await source.return?.();
        return { value: undefined, done: true };
      };
      const next = async (): Promise<IteratorResult<Mapped>> => {
        const result = await source.next();
        if (result.done === true) return { value: undefined, done: true };
        try {
          return { value: map(result.value), done: false };
        } catch (error) {
          void leave().catch(() => {});
          throw error;
        }
      };
      return { next, return: leave };
    },
  };
}

/** How a feed is set up. */
export interface FeedOptions<Item> {
  /** Items that may wait for the reader; more are left out and counted. */
  readonly itemsMax: number;
  /** What the reader gets in place of those that were left out. */
  missed(count: number): Item;
  /** Nothing more is read: the reader has left, or has read to the end. Called once. */
  left(): void;
}

/** Items that are pushed for one reader, who gets them in order and whose leaving is felt at once. */
export class Feed<Item> implements AsyncIterator<Item> {
  readonly #options: FeedOptions<Item>;
  readonly #waiting: Item[] = [];
  /** Readings that wait for an item; mostly one. */
  readonly #readings: ((result: IteratorResult<Item>) => void)[] = [];
  #missedCount = 0;
  #isEnded = false;
  #isLeft = false;

  constructor(options: FeedOptions<Item>) {
    this.#options = options;
  }

  push(item: Item): void {
    if (this.#isEnded) return;
    const reading = this.#readings.shift();
    if (reading !== undefined) reading({ value: item, done: false });
    else if (this.#waiting.length < this.#options.itemsMax) this.#waiting.push(item);
    else this.#missedCount += 1;
  }

  /** Nothing more comes; what waits is still read. */
  end(): void {
    this.#isEnded = true;
    if (this.#readings.length > 0) this.#leave();
  }

  next(): Promise<IteratorResult<Item>> {
    if (this.#waiting.length > 0) return Promise.resolve({ value: this.#waiting.shift() as Item, done: false });
    if (this.#missedCount > 0) {
      const value = this.#options.missed(this.#missedCount);
      this.#missedCount = 0;
      return Promise.resolve({ value, done: false });
    }
    if (this.#isEnded) this.#leave();
    if (this.#isLeft) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#readings.push(resolve));
  }

  return(): Promise<IteratorResult<Item>> {
    this.#isEnded = true;
    this.#waiting.length = 0;
    this.#missedCount = 0;
    this.#leave();
    return Promise.resolve({ value: undefined, done: true });
  }

  #leave(): void {
    for (const reading of this.#readings.splice(0)) reading({ value: undefined, done: true });
    if (this.#isLeft) return;
    this.#isLeft = true;
    this.#options.left();
  }
}
