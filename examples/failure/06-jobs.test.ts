/**
 * A job queue. A job that was handed to a worker is gone with it, unless the queue watches the worker.
 * Property: `balance`, and `sometimes`, without which the test would be weak. Faults: kill, crash-in-init.
 */
import { child, isDown, startServer, startSupervisor, stubOf, type AnyPid, type AnyProcess, type Ref } from "colos";
import { refute, simulate, type Plan, type Property, type World } from "colos/testing";
import { expect, test } from "vitest";

const workers = ["worker 1", "worker 2"];
const plan: Plan = { faults: { kill: 0.5, "crash-in-init": 0.3 }, targets: workers };

class Jobs {
  readonly #waiting: number[] = [];
  readonly #done: Set<number>;
  readonly #running = new Map<Ref, number>();
  readonly #self: AnyProcess;
  readonly #watches: boolean;
  readonly #world: World;

  constructor(self: AnyProcess, done: Set<number>, watches: boolean, world: World) {
    this.#done = done;
    this.#self = self;
    this.#watches = watches;
    this.#world = world;
  }

  add(job: number): void {
    this.#waiting.push(job);
    this.#world.count("accepted");
  }

  take(worker: AnyPid): number | undefined {
    const job = this.#waiting.shift();
    if (job !== undefined && this.#watches) this.#running.set(this.#self.monitor(worker), job);
    return job;
  }

  finish(job: number): void {
    this.#done.add(job);
  }

  handleInfo(message: unknown): void {
    if (!isDown(message)) return;
    const job = this.#running.get(message.ref);
    this.#running.delete(message.ref);
    if (job === undefined || this.#done.has(job)) return;
    this.#world.sometimes("a worker has ended before its job");
    this.#waiting.push(job);
  }
}

async function work(self: AnyProcess): Promise<never> {
  const jobs = stubOf<Jobs>(self, "jobs");
  for (;;) {
    const job = await jobs.take(self.pid);
    await self.sleep(100);
    if (job !== undefined) await jobs.finish(job);
  }
}

function queue(watches: boolean): Property<ReadonlySet<number>> {
  return {
    name: "every job is done",
    async setup(self, world) {
      const done = new Set<number>();
      await startServer(self, (own) => new Jobs(own, done, watches, world), { name: "jobs" });
      const children = workers.map((id) => child(id, work, { name: id }));
      await startSupervisor(self, { flags: { maxRestarts: Infinity }, children });
      return done;
    },
    async workload(self, _done, world) {
      for (let job = 1; job <= 50; job += 1) {
        await self.sleep(world.choose("gap", [100, 0, 250]));
        await stubOf<Jobs>(self, "jobs").add(job);
      }
    },
    balance: { "jobs done are jobs accepted": (done, world) => [done.size, world.counted("accepted")] },
    sometimes: watches ? ["a worker has ended before its job"] : [],
  };
}

test("a queue that forgets what it has handed out loses jobs", async () => {
  const { check, choices } = await refute(queue(false), plan);

  expect(check).toBe('balance "jobs done are jobs accepted"');
  expect(choices.length).toBeLessThanOrEqual(2);
});

test("a queue that watches its workers loses none", () => simulate(queue(true), plan));
