import { child, defineServer, startSupervisor } from "colos";
import { refute, simulate, type Plan, type Property } from "colos/testing";
import { expect, test } from "vitest";

const services = ["stock", "till", "mail"];
const plan: Plan = { faults: { kill: 1 }, targets: services };

function shop(maxRestarts: number): Property<null> {
  const service = defineServer(() => ({ handleCall: () => "done" }));
  return {
    name: "the shop stays open",
    async setup(self) {
      await startSupervisor(self, {
        flags: { maxRestarts },
        children: services.map((id) => child(id, service, { name: id })),
      });
      return null;
    },
    eventually: {
      "all services are up": { withinMs: 1000, holds: (_, world) => services.every((id) => world.whereis(id)) },
    },
  };
}

test("one restart in five seconds is not enough", async () => {
  expect((await refute(shop(1), plan)).check).toBe('eventually "all services are up"');
});

test("as many restarts as it takes are enough", () => simulate(shop(Infinity), plan));
