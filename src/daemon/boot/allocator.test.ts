import { expect, test } from "vitest";
import { forgetAllocator, withAllocator } from "./allocator.ts";

test("a daemon is started with settings of its own, and what it starts has none of them", () => {
  const env = withAllocator({ PATH: "/bin" });
  expect(env["GLIBC_TUNABLES"]).toMatch(/^glibc\.malloc\.arena_max=1(:glibc\.malloc\.\w+=\d+)+$/);

  forgetAllocator(env);

  expect(env).toEqual({ PATH: "/bin" });
});

test("settings that somebody has chosen stay, for the daemon and for what it starts", () => {
  const env = withAllocator({ GLIBC_TUNABLES: "glibc.malloc.check=3" });

  forgetAllocator(env);

  expect(env).toEqual({ GLIBC_TUNABLES: "glibc.malloc.check=3" });
});
