/**
 * Supervised: properties of a supervisor with coroutines, a command and an OS process under it, for tests of `torture`.
 */
import { child, command, defineProgram, program, startSupervisor } from "colos";
import type { Property, World } from "colos/testing";

const names = ["one", "two", "sleeper", "hosted"] as const;

async function stay(self: { receive(): Promise<unknown> }): Promise<void> {
  await self.receive();
}

/** Whoever ends comes back, and the supervisor counts as many starts as there were ends. */
export const property: Property<World> = {
  name: "what is supervised comes back",
  async setup(self, world) {
    await startSupervisor(self, {
      flags: { maxRestarts: Infinity },
      children: [
        child("one", defineProgram(stay), { name: "one" }),
        child("two", defineProgram(stay), { name: "two" }),
        child("sleeper", command("sleep", "1000"), { name: "sleeper" }),
        child("hosted", program("./hosted.ts", import.meta.url), { name: "hosted" }),
      ],
    });
    world.sometimes("it is up");
    return world;
  },
  always: {
    "no name is taken twice": (world) => {
      const titles = world.processes().map(({ title }) => title);
      return names.every((name) => titles.filter((title) => title === name).length <= 2);
    },
  },
  onSignal: { "no message comes by itself": (signal) => signal.kind !== "message" || signal.body !== "stray" },
  eventually: {
    "all are there": {
      withinMs: 5000,
      holds: (world) => names.every((name) => world.whereis(name) !== undefined) || "one is missing",
    },
  },
  sometimes: ["it is up"],
};
export const targets: readonly string[] = names;
