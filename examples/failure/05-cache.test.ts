/**
 * A cache on a thread of its own is told of every change. The one that comes after it must be told as well.
 * Property: `eventually`, within so many milliseconds of calm. Faults: carrier-loss, partition.
 */
import { child, defineServer, startServer, startSupervisor, stubOf, type AnyPid, type AnyProcess } from "colos";
import { refute, simulate, type Plan, type Property } from "colos/testing";
import { expect, test } from "vitest";

const plan: Plan = { faults: { "carrier-loss": 0.3, partition: 0.1 } };

class Store {
  #price = 0;
  readonly #self: AnyProcess;
  readonly #caches: AnyPid[] = [];

  constructor(self: AnyProcess) {
    this.#self = self;
  }

  read(): number {
    return this.#price;
  }

  write(price: number): void {
    this.#price = price;
    for (const cache of this.#caches) stubOf<Cache>(this.#self, cache).cast.forget();
  }

  addCache(cache: AnyPid): void {
    this.#caches.push(cache);
  }
}

class Cache {
  #price: number | undefined;
  readonly #self: AnyProcess;
  readonly #subscribes: boolean;

  constructor(self: AnyProcess, subscribes: boolean) {
    this.#self = self;
    this.#subscribes = subscribes;
  }

  async init(): Promise<void> {
    if (this.#subscribes) await stubOf<Store>(this.#self, "store").addCache(this.#self.pid);
  }

  async read(): Promise<number> {
    return (this.#price ??= await stubOf<Store>(this.#self, "store").read());
  }

  forget(): void {
    this.#price = undefined;
  }
}

/** What was written, and what a customer reads. */
interface Prices {
  written: number;
  read: number;
}

async function customer(self: AnyProcess, prices: Prices): Promise<never> {
  for (;;) {
    await self.sleep(200);
    // The cache may be down; it will come back.
    prices.read = await stubOf<Cache>(self, "cache")
      .read()
      .catch(() => prices.read);
  }
}

function shop(subscribes: boolean): Property<Prices> {
  return {
    name: "the cache tells the truth",
    async setup(self) {
      const prices: Prices = { written: 0, read: 0 };
      const store = await startServer(self, (own) => new Store(own), { name: "store" });
      const cache = defineServer((own) => new Cache(own, subscribes));
      const children = [child("cache", cache, { name: "cache", carrier: "thread" })];
      await startSupervisor(self, { flags: { maxRestarts: Infinity }, children });
      const first = self.whereis("cache");
      if (!subscribes && first !== undefined) await stubOf<Store>(self, store).addCache(first);
      self.spawnLink(customer, { args: [prices] });
      return prices;
    },
    async workload(self, prices) {
      for (let price = 1; price <= 20; price += 1) {
        await self.sleep(500);
        await stubOf<Store>(self, "store").write(price);
        prices.written = price;
      }
    },
    eventually: {
      "the customer reads what was written": { withinMs: 2000, holds: ({ written, read }) => written === read },
    },
  };
}

test("a cache that somebody else announces is forgotten after a restart", async () => {
  const { check, choices } = await refute(shop(false), plan);

  expect(check).toBe('eventually "the customer reads what was written"');
  expect(choices.length).toBeLessThanOrEqual(2);
});

test("a cache that announces itself is not", () => simulate(shop(true), plan));
