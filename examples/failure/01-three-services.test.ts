/** The shortest: three services under a supervisor, and a property that one kill too many breaks. */
import { child, defineServer, startSupervisor } from "colos";
import { simulate, type Property } from "colos/testing";
import { expect, test } from "vitest";

const services = ["stock", "till", "mail"];

function shop(maxRestarts: number): Property<null> {
  const service = defineServer(() => ({ handleCall: () => "done" }));
  return {
    name: "the shop stays open",
    async setup(self) {
      const children = services.map((name) => child(name, service, { name }));
      await startSupervisor(self, { flags: { maxRestarts, periodMs: 5000 }, children });
      return null;
    },
    eventually: {
      "all services are up": { withinMs: 1000, holds: (_, world) => services.every((name) => world.whereis(name)) },
    },
  };
}

test("one restart in five seconds is too little", async () => {
  await expect(simulate(shop(1), { faults: { kill: 1 }, targets: services })).rejects.toThrow("all services are up");
});

test("any number of restarts is enough", () => simulate(shop(Infinity), { faults: { kill: 1 }, targets: services }));
