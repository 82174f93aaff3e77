/**
 * One leader at a time. Leases that end by the wall clock end early when somebody sets it.
 * Property: `always`. Faults: clock-step, suspend.
 */
import { startServer, stubOf, type AnyProcess, type Clock } from "colos";
import { refute, simulate, type Plan, type Property } from "colos/testing";
import { expect, test } from "vitest";

const leaseMs = 3000;
const plan: Plan = { faults: { "clock-step": 0.2, suspend: 0.1 } };

class Leases {
  readonly #nowMs: () => number;
  #holder = "";
  #untilMs = -Infinity;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  acquire(name: string): boolean {
    if (this.#holder !== name && this.#nowMs() < this.#untilMs) return false;
    this.#holder = name;
    this.#untilMs = this.#nowMs() + leaseMs;
    return true;
  }
}

/** Until when each candidate takes itself for the leader. */
type Beliefs = Map<string, number>;

async function candidate(self: AnyProcess, name: string, beliefs: Beliefs): Promise<never> {
  const { clock } = self.kernel.platform;
  for (;;) {
    const askedMs = clock.monotonicMs();
    if (await stubOf<Leases>(self, "leases").acquire(name)) beliefs.set(name, askedMs + leaseMs);
    await self.sleep(1000);
  }
}

function election(nowMs: (clock: Clock) => number): Property<Beliefs> {
  return {
    name: "one leader at a time",
    async setup(self) {
      const { clock } = self.kernel.platform;
      const beliefs: Beliefs = new Map();
      await startServer(self, () => new Leases(() => nowMs(clock)), { name: "leases" });
      for (const name of ["ann", "bob"]) self.spawnLink(candidate, { label: name, args: [name, beliefs] });
      return beliefs;
    },
    always: {
      "at most one leader": (beliefs, { kernel }) => {
        const leaders = [...beliefs].filter(([, untilMs]) => kernel.platform.clock.monotonicMs() < untilMs);
        return leaders.length < 2 || `${leaders.map(([name]) => name).join(" and ")} are leaders`;
      },
    },
  };
}

test("leases by the wall clock make two leaders", async () => {
  const { check, message, choices } = await refute(
    election((clock) => clock.wallMs()),
    plan,
  );

  expect(check).toBe('always "at most one leader"');
  expect(message).toMatch(/^(ann and bob|bob and ann) are leaders$/);
  expect(choices.length).toBeLessThanOrEqual(4);
});

test("leases by the monotonic clock make one", () =>
  simulate(
    election((clock) => clock.monotonicMs()),
    plan,
  ));
