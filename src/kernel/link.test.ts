/** Links in great numbers; OTP's statements on them (L) are in test/conformance/. */
import { describe, expect, test } from "vitest";
import { World } from "../testing/world.ts";
import type { AnyPid } from "./pid.ts";
import type { AnyProcess } from "./process.ts";

const wait = async (self: AnyProcess): Promise<void> => {
  await self.receive();
};

describe("links", () => {
  test("a chain of 100,000 links ends without a deep stack", async () => {
    const world = new World();
    const { self } = world;
    const before = world.kernel.processesCount;
    const first = self.spawn(wait);
    let last: AnyPid = first;
    for (let index = 1; index < 100_000; index += 1) {
      const previous = last;
      last = self.spawn(async (link: AnyProcess) => {
        link.link(previous);
        await wait(link);
      });
    }
    await world.settle();
    const ref = self.monitor(last);

    self.exit(first, "origin");

    expect(await world.next()).toMatchObject({ ref, reason: "origin" });
    expect(world.kernel.processesCount).toBe(before);
  });

  test("a star of 100,000 links ends", async () => {
    const world = new World();
    const before = world.kernel.processesCount;
    const { pid } = world.self.spawnMonitor(async (star) => {
      for (let index = 0; index < 100_000; index += 1) star.spawnLink(wait);
      await wait(star);
    });
    await world.settle();

    world.self.exit(pid, "b");

    expect(await world.next()).toMatchObject({ reason: "b" });
    expect(world.kernel.processesCount).toBe(before);
  });
});
