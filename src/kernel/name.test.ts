/** Names: what OTP's statements on them (R; test/conformance/) do not say. */
import { describe, expect, test } from "vitest";
import { idle, World } from "../testing/world.ts";

describe("names", () => {
  test("a spawn whose name is taken starts nothing", () => {
    const world = new World();
    world.self.spawn(idle, { name: "taken" });
    const before = world.kernel.processesCount;

    expect(() => world.self.spawn(idle, { name: "taken" })).toThrow("is taken");
    expect(world.kernel.processesCount).toBe(before);
  });
});
