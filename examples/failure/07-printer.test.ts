/**
 * A printer that is lent. Who was slow has lost the loan without knowing it, and prints into the work of the next.
 * Property: `model`, what the system may do, as a little machine of its own. Fault: slow.
 */
import { startServer, stubOf, type AnyProcess } from "colos";
import { impossible, refute, simulate, type Model, type Plan, type Property, type World } from "colos/testing";
import { expect, test } from "vitest";

const loanMs = 1000;
const people = ["ann", "bob"];
const plan: Plan = { faults: { slow: 0.3 }, targets: people };

class Printer {
  #loan = 0;
  #untilMs = -Infinity;
  readonly #world: World;
  readonly #looksAtLoans: boolean;

  constructor(world: World, looksAtLoans: boolean) {
    this.#world = world;
    this.#looksAtLoans = looksAtLoans;
  }

  /** The number of the loan; undefined while somebody else has the printer. */
  borrow(who: string): number | undefined {
    const { nowMs } = this.#world;
    if (nowMs < this.#untilMs) return undefined;
    this.#untilMs = nowMs + loanMs;
    this.#world.record("lent", who);
    return (this.#loan += 1);
  }

  print(who: string, loan: number): boolean {
    if (this.#looksAtLoans && loan !== this.#loan) return false;
    this.#world.record("printed", who);
    return true;
  }

  giveBack(loan: number): void {
    if (loan === this.#loan) this.#untilMs = -Infinity;
  }
}

async function person(self: AnyProcess, who: string, world: World): Promise<never> {
  const printer = stubOf<Printer>(self, "printer");
  for (;;) {
    await self.sleep(300);
    const loan = await printer.borrow(who);
    if (loan === undefined) continue;
    await self.sleep(300); // thinks
    if (!(await printer.print(who, loan))) world.sometimes("a loan has run out");
    await printer.giveBack(loan);
  }
}

/** Who may print: the last to whom the printer was lent. */
const oneAtATime: Model<null, string> = {
  init: () => "nobody",
  step(holder, { kind, what, value }) {
    if (kind !== "record") return holder;
    if (what === "lent") return String(value);
    return value === holder ? holder : impossible(`${String(value)} prints while ${holder} has the printer`);
  },
};

function office(looksAtLoans: boolean): Property<null> {
  return {
    name: "the printer serves one at a time",
    async setup(self, world) {
      await startServer(self, () => new Printer(world, looksAtLoans), { name: "printer" });
      for (const who of people) self.spawnLink(person, { label: who, args: [who, world] });
      return null;
    },
    model: oneAtATime,
    sometimes: looksAtLoans ? ["a loan has run out"] : [],
  };
}

test("a printer that takes pages of anybody mixes them", async () => {
  const { check, message, choices } = await refute(office(false), plan);

  expect(check).toBe("model");
  expect(message).toMatch(/(ann|bob) prints while (ann|bob) has the printer/);
  expect(choices.length).toBeLessThanOrEqual(4);
});

test("a printer that looks at the number of the loan does not", () => simulate(office(true), plan));
