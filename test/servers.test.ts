import { createSystem, programOf, startStub, stopServer, stubOf } from "colos";
import { describe, expect, test } from "vitest";

const counterFile = programOf<typeof import("./programs/counter.ts")>("./programs/counter.ts", import.meta.url);

describe.each(["coroutine", "thread", "os-process"])("a server on the carrier %s", (carrier) => {
  test("is called through a stub that knows its file by type alone", async () => {
    const { kernel } = createSystem();
    const self = kernel.attach();
    const counter = await startStub(self, counterFile, { carrier, args: [5] });

    counter.cast.increment(1);
    const replies = [await counter.increment(2), await counter.both()];
    const untyped = stubOf<{ absent(): void }>(self, counter.pid);

    expect(replies).toEqual([8, [8, "8"]]);
    await expect(untyped.absent()).rejects.toMatchObject({
      reason: { tag: "call", reason: { tag: "undefinedMethod", method: "absent" } },
    });
    await stopServer(self, counter.pid);
    kernel.close();
  });
});
