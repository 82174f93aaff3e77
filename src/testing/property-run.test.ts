import { describe, expect, test } from "vitest";
import type { FileSystem } from "../base/file-system.ts";
import type { Network } from "../base/network.ts";
import { Kernel } from "../kernel/kernel.ts";
import type { AnyProcess } from "../kernel/process.ts";
import { SeededChoices } from "../sim/choices.ts";
import { impossible, type Property } from "../sim/property.ts";
import { countedKeysMax, PropertyRun, type RunNotice, type TortureWorld } from "./property-run.ts";
import { VirtualPlatform } from "./virtual-platform.ts";

interface Scene {
  readonly platform: VirtualPlatform;
  readonly run: PropertyRun<AnyProcess>;
  readonly notices: RunNotice[];
  failures(): string[];
}

/** A run in virtual time, set up and settled. */
async function begin(part: Partial<Property<AnyProcess>>, targets?: readonly string[]): Promise<Scene> {
  const platform = new VirtualPlatform();
  const notices: RunNotice[] = [];
  const property: Property<AnyProcess> = { name: "property", setup: (self) => self, ...part };
  const real = { kernel: new Kernel(platform), files: {} as FileSystem, network: {} as Network };
  const run = new PropertyRun(
    property,
    real,
    {
      choices: new SeededChoices(1),
      directory: "/",
      startedMs: 0,
      counts: new Map([["before", 3]]),
      checkEveryMs: 50,
      targets,
    },
    (notice) => notices.push(notice),
  );
  run.start();
  await platform.settle();
  const failures = (): string[] =>
    notices.flatMap((notice) => (notice.kind === "failed" ? [`${notice.check}: ${notice.message}`] : []));
  return { platform, run, notices, failures };
}

const stay = async (self: AnyProcess): Promise<void> => {
  await self.receive(() => false);
};

describe("property run", () => {
  test("says when it is ready, and when its workload is done", async () => {
    const { notices, platform } = await begin({ workload: (self) => self.sleep(10) });
    const before = notices.map(({ kind }) => kind);
    await platform.advance(10);

    expect(before).toContain("ready");
    expect(before).not.toContain("worked");
    expect(notices.at(-2)?.kind).toBe("worked");
  });

  test("looks at always at its interval, and not after the first failure", async () => {
    let looks = 0;
    const { platform, failures } = await begin({ always: { few: () => (looks += 1) < 4 || "too many" } });
    await platform.advance(1000);

    expect(failures()).toEqual(["few: too many"]);
    expect(looks).toBe(4);
  });

  test("shows each signal to onSignal, with what it is and whose", async () => {
    const seen: string[] = [];
    await begin({
      onSignal: { all: ({ kind, body }) => (seen.push(`${kind} ${String(body)}`), true) },
      workload: (self, system) => {
        self.send(system.pid, "hello");
        self.spawnMonitor(() => {}, { label: "other" });
        return self.receive().then(() => {});
      },
    });

    expect(seen).toEqual(["message hello", "down normal"]);
  });

  test("what a model does not allow fails the run", async () => {
    const { failures } = await begin({
      workload: (_self, _system, world) => {
        for (const what of ["one", "two", "one"]) world.record(what);
      },
      model: {
        init: () => "none",
        step: (state, event) =>
          event.kind !== "record"
            ? state
            : event.what === state
              ? impossible("twice")
              : event.what === "one" && state === "two"
                ? impossible("back")
                : event.what,
      },
    });

    expect(failures()).toEqual(["model: back"]);
  });

  test("strikes only what it is allowed to, and never itself", async () => {
    const { run, platform } = await begin(
      {
        setup: (self) => {
          for (const label of ["one", "two"]) self.spawn(stay, { label });
          return self;
        },
      },
      ["one"],
    );

    expect(await run.strike("kill", 5)).toBe("one");
    await platform.settle();
    expect(await run.strike("kill", 5)).toBe(undefined);
    expect(await run.strike("kill", 0, "two")).toBe(undefined);
  });

  test("counts the faults, and goes on from what was counted before", async () => {
    let world: TortureWorld | undefined;
    const { run, notices } = await begin({
      setup: (self, given) => {
        world = given as TortureWorld;
        self.spawn(stay, { label: "one" });
        world.count("before");
        return self;
      },
    });
    await run.strike("crash", 0);

    expect([world?.counted("before"), world?.counted("fault.crash")]).toEqual([4, 1]);
    expect(notices).toContainEqual({ kind: "counted", key: "fault.crash", by: 1 });
  });

  test("more different counts than the limit fail the run", async () => {
    const { failures } = await begin({
      workload: (_self, _system, world) => {
        for (let number = 0; number < countedKeysMax; number += 1) world.count(`key ${number}`);
      },
    });

    expect(failures()).toEqual([
      `count: more than ${countedKeysMax} different keys are counted; "key ${countedKeysMax - 1}" is one too many`,
    ]);
  });

  test("what is exposed can be struck while there is an OS process", async () => {
    const now: { osPid?: number } = {};
    const { run } = await begin({
      setup: (self, world) => {
        (world as TortureWorld).expose("colos", () => now.osPid);
        return self;
      },
    });

    expect(await run.carriers()).toEqual([]);
    now.osPid = 42;
    expect(await run.carriers()).toEqual([{ title: "colos", osPid: 42 }]);
  });

  test("ends all its processes", async () => {
    const { run, platform } = await begin({
      setup: (self) => {
        self.spawn(stay, { label: "one" });
        return self;
      },
      workload: stay,
    });
    let left: number | undefined;
    const ended = run.end().then(() => (left = 0));
    await platform.advance(100);
    await ended;

    expect(left).toBe(0);
  });
});
