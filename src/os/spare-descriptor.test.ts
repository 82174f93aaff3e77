import { expect, test } from "vitest";
import { withSpareDescriptor } from "./spare-descriptor.ts";

const refusal = (code: string): Error => Object.assign(new Error(code), { code });

test.each(["EMFILE", "ENFILE"])("spare descriptor: a look that is refused with %s is made once more", (code) => {
  let tries = 0;
  const look = (): number => {
    tries += 1;
    if (tries === 1) throw refusal(code);
    return 42;
  };
  expect([withSpareDescriptor(look), tries]).toEqual([42, 2]);
});

test("spare descriptor: anything else is thrown at once, and a second refusal too", () => {
  let tries = 0;
  const refused = (code: string) => (): never => {
    tries += 1;
    throw refusal(code);
  };
  expect(() => withSpareDescriptor(refused("ENOENT"))).toThrow("ENOENT");
  expect(tries).toBe(1);
  expect(() => withSpareDescriptor(refused("EMFILE"))).toThrow("EMFILE");
  expect(tries).toBe(3);
});
