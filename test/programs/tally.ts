import { defineServer } from "colos";

/** Counts, wherever it runs. */
class Tally {
  #value: number;

  constructor(start: number) {
    this.#value = start;
  }

  increment(by: number): number {
    return (this.#value += by);
  }

  async both(): Promise<readonly [number, string]> {
    return [this.#value, String(this.#value)];
  }
}

export default defineServer((_self, start: number) => new Tally(start));
