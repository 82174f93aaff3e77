import { createSystem, programOf, startStub, stopServer, stubOf } from "colos";
import { describe, expect, test } from "vitest";

const tallyFile = programOf<typeof import("./programs/tally.ts")>("./programs/tally.ts", import.meta.url);

describe.each(["coroutine", "thread", "os-process"])("a server on the carrier %s", (carrier) => {
  test("is called through a stub that knows its file by type alone", async () => {
    const { kernel } = createSystem();
    const self = kernel.attach();
    const tally = await startStub(self, tallyFile, { carrier, args: [5] });

    tally.cast.increment(1);
    const replies = [await tally.increment(2), await tally.both()];
    const untyped = stubOf<{ absent(): void }>(self, tally.pid);

    expect(replies).toEqual([8, [8, "8"]]);
    await expect(untyped.absent()).rejects.toMatchObject({
      reason: { tag: "call", reason: { tag: "undefinedMethod", method: "absent" } },
    });
    await stopServer(self, tally.pid);
    kernel.close();
  });
});
