/**
 * A till that hangs. It has not ended, so its supervisor does nothing; somebody must ask it now and then.
 * Property: `eventually`, and `sometimes`. Faults: hang, crash.
 */
import { child, defineServer, startSupervisor, stubOf, type AnyProcess } from "colos";
import { refute, simulate, type Plan, type Property, type World } from "colos/testing";
import { expect, test } from "vitest";

const plan: Plan = { faults: { hang: 0.3, crash: 0.2 }, targets: ["till"] };

/** When the till has last answered. */
interface Shop {
  answeredMs: number;
}

async function customer(self: AnyProcess, shop: Shop, world: World): Promise<never> {
  for (;;) {
    await self.sleep(500);
    try {
      await stubOf<{ price(): number }>(self, "till").with({ timeoutMs: 1000 }).price();
      shop.answeredMs = world.nowMs;
    } catch {
      world.sometimes("there is no answer");
    }
  }
}

/** Kills what does not answer; its supervisor starts it again. */
async function watchdog(self: AnyProcess): Promise<never> {
  for (;;) {
    await self.sleep(500);
    const till = self.whereis("till");
    if (till === undefined) continue;
    await stubOf<{ price(): number }>(self, till)
      .with({ timeoutMs: 1000 })
      .price()
      .catch(() => self.exit(till, "kill"));
  }
}

function shop(isWatched: boolean): Property<Shop> {
  return {
    name: "the till answers",
    async setup(self, world) {
      const till = child(
        "till",
        defineServer(() => ({ price: () => 7 })),
        { name: "till" },
      );
      const guard = child("watchdog", watchdog);
      const children = isWatched ? [till, guard] : [till];
      await startSupervisor(self, { flags: { maxRestarts: Infinity }, children });
      const shop: Shop = { answeredMs: 0 };
      self.spawnLink(customer, { label: "customer", args: [shop, world] });
      return shop;
    },
    eventually: {
      "it answers": { withinMs: 5000, holds: ({ answeredMs }, world) => world.nowMs - answeredMs < 600 },
    },
    sometimes: ["there is no answer"],
  };
}

test("a supervisor alone does not see that it hangs", async () => {
  const { check, choices } = await refute(shop(false), plan);

  expect(check).toBe('eventually "it answers"');
  expect(choices.length).toBeLessThanOrEqual(2);
});

test("with a watchdog it answers again", () => simulate(shop(true), plan));
