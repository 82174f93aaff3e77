/**
 * Stream: what is done to an endless answer on its way, such that leaving it is felt at once at its source.
 *
 * Unlike an async generator, whose `return` waits until the item that it awaits has come.
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
