/**
 * Prices over two relays on threads. Signals of one pair keep their order; over two ways they overtake each other.
 * Property: `onSignal`, checked at each delivery. Fault: delay.
 */
import { startServer, type Pid, type Process } from "colos";
import { refute, simulate, type Plan, type Property, type SeenSignal } from "colos/testing";
import { expect, test } from "vitest";

const stocks = ["corn", "wheat", "rye"];
const plan: Plan = { faults: { delay: 0.05 } };

interface Price {
  readonly stock: string;
  readonly version: number;
}

async function relay(self: Process<Price>, board: Pid<Price>): Promise<never> {
  for (;;) self.send(board, await self.receive());
}

/** Which relay carries a price. */
type Route = (price: Price) => number;
const inTurn: Route = ({ version }) => version;
const byStock: Route = ({ stock }) => stocks.indexOf(stock);

interface Market {
  readonly board: Pid<Price>;
  readonly relays: readonly Pid<Price>[];
  /** The last version of each stock that has reached the board. */
  readonly shown: Map<string, number>;
}

function market(route: Route): Property<Market> {
  return {
    name: "prices come in order",
    async setup(self) {
      const board = await startServer(self, () => ({ handleInfo: () => {} }), { name: "board" });
      const start = (label: string): Pid<Price> => self.spawnLink(relay, { label, carrier: "thread", args: [board] });
      return { board, relays: [start("relay 1"), start("relay 2")], shown: new Map() };
    },
    async workload(self, { relays }, world) {
      for (let version = 1; version <= 30; version += 1) {
        await self.sleep(50);
        const price: Price = { stock: world.choose("stock", stocks), version };
        self.send(relays[route(price) % relays.length] as Pid<Price>, price);
      }
    },
    onSignal: {
      "no price is followed by an older one": ({ kind, to, body }: SeenSignal, { board, shown }) => {
        if (kind !== "message" || to !== board) return true;
        const { stock, version } = body as Price;
        const before = shown.get(stock) ?? 0;
        shown.set(stock, version);
        return version > before || `${stock}: version ${version} comes after ${before}`;
      },
    },
  };
}

test("relays that take turns overtake each other", async () => {
  const { check, message, choices } = await refute(market(inTurn), plan);

  expect(check).toBe('onSignal "no price is followed by an older one"');
  expect(message).toMatch(/corn: version \d+ comes after \d+/);
  expect(choices.length).toBeLessThanOrEqual(2);
});

test("a relay for each stock keeps its order", () => simulate(market(byStock), plan));
