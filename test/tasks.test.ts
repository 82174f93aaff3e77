/** Tasks on carriers with a kernel of their own, and in this one. */
import { createSystem, isDown, nodePlatform, programOf, Task, type AnyPid } from "colos";
import { describe, expect, test } from "vitest";

const { kernel } = createSystem({ platform: nodePlatform({ writeLine: () => {} }) });
const square = programOf<typeof import("./programs/square.ts")>("./programs/square.ts", import.meta.url);

describe.each(["coroutine", "thread", "os-process"])("tasks on the carrier %s", (carrier) => {
  test("give their values, and the reason when they fail", async () => {
    const self = kernel.attach();
    const failing = Task.asyncNoLink(self, square, { carrier, args: [Number.NaN] });

    const values = await Task.awaitMany([
      Task.async(self, square, { carrier, args: [3] }),
      Task.async(self, square, { carrier, args: [2] }),
    ]);

    expect(values).toEqual([9, 4]);
    await expect(failing.await()).rejects.toMatchObject({
      reason: { tag: "task", reason: new RangeError("not a number"), task: String(failing.pid) },
    });
  });

  test("make a stream, which ends those that run when it is left", async () => {
    const self = kernel.attach();
    const values: number[] = [];
    let running: readonly AnyPid[] = [];

    for await (const outcome of Task.stream(self, endless(), square, { carrier, maxConcurrency: 2 })) {
      if (outcome.ok) values.push(outcome.value);
      running = self.info()?.links ?? [];
      if (values.length === 4) break;
    }
    for (const pid of running) {
      const ref = self.monitor(pid);
      await self.receive((message) => isDown(message, ref));
    }

    expect(values).toEqual([0, 1, 4, 9]);
    expect(running).not.toEqual([]);
  });
});

test("a task of what does not exist fails with a sentence that says so", async () => {
  const self = kernel.attach();
  const absent = programOf<typeof import("./programs/square.ts")>("./programs/absent.ts", import.meta.url);

  const calling = Task.asyncNoLink(self, absent, { carrier: "thread", args: [1] }).await();

  await expect(calling).rejects.toThrow(/absent\.ts does not exist/);
});

function* endless(): Generator<number> {
  for (let number = 0; ; number += 1) yield number;
}
