import {
  child,
  createSystem,
  isDown,
  programOf,
  startStub,
  startSupervisor,
  stopServer,
  stubOf,
  sys,
  whichChildren,
  type AnyPid,
  type SupervisorEvent,
} from "colos";
import { describe, expect, test } from "vitest";

const tallyFile = programOf<typeof import("./programs/tally.ts")>("./programs/tally.ts", import.meta.url);
const turnstileFile = programOf<typeof import("./programs/turnstile.ts")>("./programs/turnstile.ts", import.meta.url);

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

  test("may be a state machine, started and restarted by a supervisor", async () => {
    const { kernel } = createSystem();
    const self = kernel.attach();
    const name = `turnstile on ${carrier}`;
    const restarted: AnyPid[] = [];
    const observe = (event: SupervisorEvent): void => {
      if (event.type === "started") restarted.push(event.pid);
    };
    const supervisor = await startSupervisor(self, {
      flags: { observe },
      children: [child("turnstile", turnstileFile, { carrier, name })],
    });
    const turnstile = stubOf<typeof import("./programs/turnstile.ts")>(self, name);

    const pushing = turnstile.push();
    const replies = [await turnstile.coin(), await pushing, await turnstile.coin(), await turnstile.coin()];
    const state = await sys.getState(self, name);
    const ref = self.monitor(name);
    self.exit(turnstile.pid!, "kill");
    await self.receive((message) => isDown(message, ref));
    const whole = await whichChildren(self, supervisor);

    expect([replies, state]).toEqual([["unlocked", "through", "unlocked", "kept"], { state: "unlocked", data: {} }]);
    expect(whole).toEqual([{ id: "turnstile", pid: restarted[1], type: "worker" }]);
    expect(await turnstile.coin()).toBe("unlocked");
    await stopServer(self, supervisor);
    kernel.close();
  });
});
