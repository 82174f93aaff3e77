import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, describe, onTestFinished, test } from "vitest";
import { nodePlatform } from "../../platforms/node/node-platform.ts";
import { Watches, type WatchedPlan } from "./watches.ts";

function setUp() {
  const root = mkdtempSync(join(tmpdir(), "colos-watches-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const told: string[] = [];
  const begun: (readonly [string, string])[] = [];
  let wake: () => void = () => undefined;
  const watches = new Watches({
    clock: nodePlatform().clock,
    home: join(root, "home"),
    changed: (service, why) => {
      told.push(`${service}: ${why.replaceAll(`${root}/`, "")}`);
      wake();
    },
    began: (service, seen) => void begun.push([service, seen]),
    notice: () => undefined,
  });
  onTestFinished(() => watches.close());
  const plan = (name: string, delayMs = 20): WatchedPlan => {
    mkdirSync(join(root, name), { recursive: true });
    return { name, watch: { paths: [join(root, name)], ignore: [], delayMs } };
  };
  const next = async (): Promise<string> => {
    while (told.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return told.shift()!;
  };
  return { watches, plan, next, begun, write: (name: string) => writeFileSync(join(root, name), name) };
}

describe("watches", () => {
  test("what is there when a watch begins tells a change of files, and of the watch, from what was there before", async () => {
    const { watches, plan, begun, write } = setUp();
    const begin = async (ignore: readonly string[] = []): Promise<readonly [string, string]> => {
      const { name, watch } = plan("web");
      await watches.set([]);
      await watches.set([{ name, watch: { ...watch!, ignore } }]);
      const [which = "", files = ""] = begun.pop()![1].split(":");
      return [which, files];
    };
    const first = await begin();
    expect(await begin()).toEqual(first);

    write("web/one");
    const [which, files] = await begin();
    expect([which, files === first[1]]).toEqual([first[0], false]);
    expect((await begin(["two"]))[0]).not.toBe(which);
  });

  test("a change is told with its service and its files, the first ones by name", async () => {
    const { watches, plan, next, write } = setUp();
    await watches.set([plan("web"), plan("api"), { name: "db" }]);

    write("api/one");
    expect(await next()).toBe("api: api/one changed");
    for (const name of ["1", "2", "3", "4", "5"]) write(`web/${name}`);
    expect(await next()).toMatch(/^web: (?:web\/\d, ){2}web\/\d and 2 more changed$/);
  });

  test("a service that is gone is not watched; an unchanged one misses nothing", async () => {
    const { watches, plan, next, write } = setUp();
    await watches.set([plan("web"), plan("api")]);

    write("web/before");
    await watches.set([plan("web")]);
    write("api/late");
    expect(await next()).toBe("web: web/before changed");
    write("web/after");

    expect(await next()).toBe("web: web/after changed");
  });

  test("another watch begins anew", async () => {
    const { watches, plan, next, write } = setUp();
    await watches.set([plan("web")]);

    await watches.set([plan("web", 10)]);
    write("web/after");

    expect(await next()).toBe("web: web/after changed");
  });
});
