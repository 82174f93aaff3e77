import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FakeClock, FakeSystem, FakeTerminal, instance } from "../../test/fake-cli-host.ts";
import { startLive } from "./live.ts";

function started(system: FakeSystem, terminal = new FakeTerminal()) {
  const clock = new FakeClock();
  const exitListeners = new Set<() => void>();
  const onExit = (listener: () => void) => {
    exitListeners.add(listener);
    return () => void exitListeners.delete(listener);
  };
  const end = startLive(system, { output: terminal, clock, title: "shop", colour: false, onExit });
  return { terminal, clock, exitListeners, end };
}

describe("live: drawing", () => {
  test("draws the table at once, below what stands there", () => {
    const terminal = new FakeTerminal();
    terminal.write("$ colos up\r\n");

    started(new FakeSystem(instance("api")), terminal);

    expect(terminal.screen).toEqual([
      "$ colos up",
      "shop: 1 of 1 ready, up 0s · Ctrl+C stops",
      "",
      expect.stringMatching(/^name/),
      expect.stringMatching(/^api/),
    ]);
  });

  test("a change is drawn in place", () => {
    const system = new FakeSystem(instance("api", { state: "starting" }));
    const { terminal, clock } = started(system);

    system.change(instance("api", { state: "ready" }));
    clock.advance(250);

    expect(terminal.screen).toHaveLength(4);
    expect(terminal.screen[3]).toMatch(/^api {3}os-process {2}ready/);
  });

  test("a flood of events makes at most four draws a second", () => {
    const system = new FakeSystem(instance("api"));
    const { terminal, clock } = started(system);
    const before = terminal.writes.length;

    for (let count = 0; count < 1000; count++) {
      system.change(instance("api", { lastLogLine: `line ${count}` }));
      clock.advance(1);
    }

    expect(terminal.writes.length - before).toBe(4);
  });

  test("only lines that changed are written", () => {
    const system = new FakeSystem(instance("aaa"), instance("bbb"), instance("ccc"));
    const { terminal, clock } = started(system);
    clock.advance(10);

    system.change(instance("bbb", { lastLogLine: "new" }));
    clock.advance(240);

    expect(terminal.writes.at(-1)).toContain("bbb");
    expect(terminal.writes.at(-1)).not.toMatch(/aaa|ccc|shop/);
  });

  test("without events figures are drawn once a second", () => {
    const { terminal, clock } = started(new FakeSystem(instance("api")));

    clock.advance(3000);

    expect(terminal.screen[0]).toContain("up 3s");
    expect(terminal.writes).toHaveLength(5);
  });

  test("nothing is written when nothing changed", () => {
    const system = new FakeSystem(instance("api"));
    const { terminal, clock } = started(system);
    const before = terminal.writes.length;

    system.log("api", "a line that the status does not show");
    clock.advance(900);

    expect(terminal.writes).toHaveLength(before);
  });

  test("the state line says that it is stopping", () => {
    const system = new FakeSystem(instance("api"));
    const { terminal, clock } = started(system);

    system.stop();
    clock.advance(250);

    expect(terminal.screen[0]).toBe("shop: stopping, 1 of 1 still running · Ctrl+C again kills");
  });

  test("however the table grows and shrinks, the screen shows the last one and what stood above", () => {
    const anyInstance = fc.record({ log: fc.stringMatching(/^[ -~]{0,120}$/), isBad: fc.boolean() });
    const frames = fc.array(fc.array(anyInstance, { maxLength: 12 }), { maxLength: 8 });
    fc.assert(
      fc.property(frames, fc.integer({ min: 2, max: 12 }), (all, rows) => {
        const terminal = new FakeTerminal(60, rows);
        terminal.write("$ colos up\r\n");
        const system = new FakeSystem();
        const { clock, end } = started(system, terminal);
        for (const frame of all) {
          system.statuses = frame.map(({ log, isBad }, at) =>
            instance(`s${at}`, isBad ? { state: "failed", reason: "why" } : { lastLogLine: log }),
          );
          clock.advance(1000);
        }
        end();

        const seen = [...terminal.scrolledOff, ...terminal.screen];
        expect(seen[0]).toBe("$ colos up");
        expect(seen[1]).toMatch(/^shop: ended after/);
        expect(seen.filter((line) => line.startsWith("shop:"))).toHaveLength(1);
        expect(seen.length).toBeLessThanOrEqual(rows + 1);
      }),
    );
  });
});

describe("live: resizing", () => {
  test("a narrower terminal gets a narrower table", () => {
    const { terminal, clock } = started(new FakeSystem(instance("api", { lastLogLine: "x".repeat(200) })));

    terminal.resize(50, 10);
    clock.advance(250);

    expect(Math.max(...terminal.screen.map(({ length }) => length))).toBeLessThanOrEqual(50);
  });

  test("a lower terminal gets a lower table", () => {
    const system = new FakeSystem(...Array.from({ length: 8 }, (_, at) => instance(`s${at}`)));
    const { terminal, clock } = started(system, new FakeTerminal(100, 20));

    terminal.resize(100, 6);
    clock.advance(250);

    expect(terminal.screen).toHaveLength(5);
    expect(terminal.screen[0]).toMatch(/^shop:/);
    expect(terminal.screen[4]).toBe("… and 6 more");
  });
});

describe("live: the end", () => {
  test("leaves the last table, the cursor and wrapping", () => {
    const system = new FakeSystem(instance("api"));
    const { terminal, clock, end } = started(system);
    expect(terminal.isCursorShown).toBe(false);
    system.statuses = [instance("api", { state: "stopped" })];
    clock.advance(100);

    end();

    expect(terminal.screen[0]).toBe("shop: ended after 0s");
    expect(terminal.screen[3]).toMatch(/stopped/);
    expect(terminal).toMatchObject({ isCursorShown: true, isWrapping: true });
  });

  test("leaves no timer and no listener behind", () => {
    const system = new FakeSystem(instance("api"));
    const { terminal, clock, exitListeners, end } = started(system);

    end();
    end();

    terminal.emit("resize");
    expect([clock.timersCount, exitListeners.size, system.listenersCount]).toEqual([0, 0, 0]);
  });

  test("a crash of colos restores the cursor", () => {
    const { terminal, exitListeners } = started(new FakeSystem(instance("api")));

    for (const listener of exitListeners) listener();

    expect(terminal).toMatchObject({ isCursorShown: true, isWrapping: true });
  });
});
