/** Programs: how a file is named. What runs them is in the tests of the carriers. */
import { describe, expect, test } from "vitest";
import { program } from "./program.ts";

describe("a program file", () => {
  test.each([
    ["/srv/shop/web.ts", undefined, "file:///srv/shop/web.ts"],
    ["./web.ts", "file:///srv/shop/main.ts", "file:///srv/shop/web.ts"],
    ["../lib/./web.ts", "file:///srv/shop/main.ts", "file:///srv/lib/web.ts"],
    ["file:///srv/web.ts?v=2", undefined, "file:///srv/web.ts?v=2"],
    ["/srv/shop #1/what?.ts", undefined, "file:///srv/shop%20%231/what%3F.ts"],
    ["./50%.ts", "file:///srv/main.ts", "file:///srv/50%25.ts"],
  ])("%s from %s is %s", (reference, base, url) => {
    expect(program(reference, base)).toEqual({ kind: "file", url });
  });

  test("that is relative to nothing is refused", () => {
    expect(() => program("./web.ts")).toThrow("pass import.meta.url");
  });
});
