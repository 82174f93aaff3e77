import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, describe, onTestFinished, test } from "vitest";
import { nodePlatform } from "../platforms/node/node-platform.ts";
import { ServiceWatches, type WatchedPlan } from "./service-watches.ts";

function setUp() {
  const root = mkdtempSync(join(tmpdir(), "colos-watches-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const told: string[] = [];
  let wake: () => void = () => undefined;
  const watches = new ServiceWatches({
    clock: nodePlatform().clock,
    home: join(root, "home"),
    onChange: (service, why) => {
      told.push(`${service}: ${why}`);
      wake();
    },
    onNotice: () => undefined,
  });
  onTestFinished(() => watches.close());
  const plan = (name: string, delayMs = 20): WatchedPlan => {
    mkdirSync(join(root, name), { recursive: true });
    return { name, cwd: root, watch: { paths: [join(root, name)], ignore: [], delayMs } };
  };
  const next = async (): Promise<string> => {
    while (told.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return told.shift()!;
  };
  return { watches, plan, next, write: (name: string) => writeFileSync(join(root, name), name) };
}

describe("service watches", () => {
  test("a change is told with its service and its files, as the service knows them", async () => {
    const { watches, plan, next, write } = setUp();
    await watches.apply([plan("web"), plan("api"), { name: "db", cwd: "/" }]);

    write("api/one");
    expect(await next()).toBe("api: api/one has changed");
    for (const name of ["1", "2", "3", "4", "5"]) write(`web/${name}`);
    expect(await next()).toMatch(/^web: (?:web\/\d, ){2}web\/\d and 2 more have changed$/);
  });

  test("a service that is gone is not watched; an unchanged one misses nothing", async () => {
    const { watches, plan, next, write } = setUp();
    await watches.apply([plan("web"), plan("api")]);

    write("web/before");
    await watches.apply([plan("web")]);
    write("api/late");
    expect(await next()).toBe("web: web/before has changed");
    write("web/after");

    expect(await next()).toBe("web: web/after has changed");
  });

  test("another watch begins anew", async () => {
    const { watches, plan, next, write } = setUp();
    await watches.apply([plan("web")]);

    await watches.apply([plan("web", 10)]);
    write("web/after");

    expect(await next()).toBe("web: web/after has changed");
  });
});
