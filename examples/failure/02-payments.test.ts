/**
 * Exactly once. A till that got no answer from the bank asks again. A slow bank has heard it both times.
 * Property: `balance`, exact accounting. Faults: slow, kill.
 */
import { child, defineServer, startSupervisor, stubOf, type AnyProcess } from "colos";
import { refute, simulate, type Plan, type Property, type World } from "colos/testing";
import { expect, test } from "vitest";

const ordersCount = 20;
const plan: Plan = { faults: { slow: 0.2, kill: 0.2 }, targets: ["bank"] };

/** What the bank has on paper, whatever becomes of its process. */
interface Books {
  readonly payments: number[];
}

class Bank {
  readonly books: Books;
  readonly knowsOrders: boolean;

  constructor(books: Books, knowsOrders: boolean) {
    this.books = books;
    this.knowsOrders = knowsOrders;
  }

  pay(order: number): void {
    if (this.knowsOrders && this.books.payments.includes(order)) return;
    this.books.payments.push(order);
  }
}

/** Asks until there is an answer. */
async function pay(self: AnyProcess, order: number, world: World): Promise<void> {
  for (;;) {
    try {
      return await stubOf<Bank>(self, "bank").with({ timeoutMs: 1000 }).pay(order);
    } catch {
      world.sometimes("a payment is tried again");
      await self.sleep(100);
    }
  }
}

function payments(knowsOrders: boolean): Property<Books> {
  return {
    name: "every order is paid once",
    async setup(self) {
      const books: Books = { payments: [] };
      const bank = defineServer(() => new Bank(books, knowsOrders));
      await startSupervisor(self, {
        flags: { maxRestarts: Infinity },
        children: [child("bank", bank, { name: "bank" })],
      });
      return books;
    },
    async workload(self, _books, world) {
      for (let order = 1; order <= ordersCount; order += 1) {
        await self.sleep(500);
        await pay(self, order, world);
      }
    },
    balance: { "payments are orders": ({ payments }) => [payments.length, ordersCount] },
    sometimes: ["a payment is tried again"],
  };
}

test("a bank that pays whenever it is asked pays twice", async () => {
  const { check, message, choices } = await refute(payments(false), plan);

  expect(`${check}: ${message}`).toBe('balance "payments are orders": it is 21 and must be 20');
  expect(choices.length).toBeLessThanOrEqual(2);
});

test("a bank that knows the orders it has paid pays once", () => simulate(payments(true), plan));
