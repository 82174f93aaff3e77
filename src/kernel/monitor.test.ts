/** Aliases: what OTP's statements on monitors and aliases (N; test/conformance/) do not say. */
import { describe, expect, test } from "vitest";
import { World } from "../testing/world.ts";
import type { Ref } from "./pid.ts";

describe("aliases", () => {
  test("an alias of a dead process takes messages silently", async () => {
    const world = new World();
    world.self.spawn((owner) => owner.send(world.self.pid, owner.alias()));
    const alias = (await world.next()) as Ref;

    expect(world.self.send(alias, "x")).toBe("x");
  });
});
