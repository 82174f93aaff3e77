/**
 * The carriers that host a kernel of their own, thread and os-process: what both guarantee.
 *
 * @module
 */
import { createSystem, program, type AnyPid, type DownMessage } from "colos";
import { describe, expect, test } from "vitest";

const answer = program<readonly [AnyPid | "exit", unknown]>("./programs/answer.ts", import.meta.url);
const { kernel } = createSystem();

describe.each(["thread"])("a program on the %s carrier", (carrier) => {
  test("answers what it is sent", async () => {
    const self = kernel.attach<unknown>();
    const pid = await self.start(answer, { carrier, link: false });

    self.send(pid, [self.pid, { n: 1, self: self.pid }]);

    expect(await self.receive()).toEqual({ n: 1, self: self.pid });
    self.exit(pid, "kill");
  });

  test("ends with the reason it gives", async () => {
    const self = kernel.attach<unknown>();
    const { pid, ref } = self.spawnMonitor(answer, { carrier });

    self.send(pid, ["exit", { why: [1, "two"] }]);

    expect(await self.receive()).toEqual({ type: "down", ref, from: pid, reason: { why: [1, "two"] } } as DownMessage);
  });
});
