import { describe, expect, test } from "vitest";
import { FakeOutput, FakeSystem, instance } from "../../test/fake-cli-host.ts";
import { startPlain, waitingBytesMax } from "./plain.ts";

function started(system: FakeSystem, colour = false) {
  const output = new FakeOutput();
  const end = startPlain(system, { output, colour });
  return { output, end };
}

describe("plain", () => {
  test("starts with the state of every instance, names aligned", () => {
    const system = new FakeSystem(
      instance("gateway", { state: "starting", osPid: 7 }),
      instance("db", { state: "waiting", reason: "waits for gateway" }),
    );

    expect(started(system).output.lines).toEqual([
      "gateway = starting (pid 7)",
      "db      = waiting: waits for gateway",
    ]);
  });

  test("stdout and stderr of a service both go out with its name", () => {
    const system = new FakeSystem(instance("api"), instance("api.2", { service: "api" }));
    const { output } = started(system);

    system.log("api", "one");
    system.log("api.2", "two", "stderr");
    system.log("api", "");

    expect(output.lines.slice(2)).toEqual(["api   | one", "api.2 | two", "api   |"]);
  });

  test("says what becomes of an instance and of the system", () => {
    const system = new FakeSystem(instance("api", { state: "starting" }));
    const { output } = started(system);

    system.change(instance("api", { state: "ready", uptimeMs: 312 }));
    system.emit({ type: "up", elapsedMs: 1440 });
    system.change(instance("api", { state: "backoff", reason: "exited with code 1" }));
    system.stop();
    system.end(0);

    expect(output.lines.slice(1)).toEqual([
      "api   = ready after 312 ms",
      "colos = every service is ready after 1.4 s",
      "api   = backoff: exited with code 1",
      "colos = stopping",
      "colos = ended",
    ]);
  });

  test("without colour a line holds no escape", () => {
    const system = new FakeSystem(instance("api"));
    const { output } = started(system);

    system.log("api", "\u001b[31mred\u001b[2J");

    expect(output.lines.at(-1)).toBe("api   | red");
  });

  test("with colour a line keeps its own colours and nothing else", () => {
    const system = new FakeSystem(instance("api"));
    const { output } = started(system, true);

    system.log("api", "\u001b[31mred\u001b[2J");

    expect(output.lines.at(-1)).toBe("\u001b[36mapi   |\u001b[39m \u001b[31mred\u001b[0m");
  });

  test("instances of one service share a colour, services do not", () => {
    const system = new FakeSystem(instance("a"), instance("a.2", { service: "a" }), instance("b"));

    const colours = started(system, true).output.lines.map((line) => line.slice(2, 4));

    expect(colours).toEqual(["36", "36", "35"]);
  });

  test("a reader that is too slow still learns what became of a service", () => {
    const system = new FakeSystem(instance("api"));
    const { output } = started(system);

    output.writableLength = waitingBytesMax + 1;
    system.log("api", "lost");
    system.change(instance("api", { state: "failed" }));

    expect(output.lines.at(-1)).toBe("api   = failed");
  });

  test("a reader that is too slow loses lines and is told how many", () => {
    const system = new FakeSystem(instance("api"));
    const { output } = started(system);

    output.writableLength = waitingBytesMax + 1;
    system.log("api", "lost");
    system.log("api", "lost");
    output.writableLength = 0;
    system.log("api", "seen");

    expect(output.lines.slice(1)).toEqual(["colos = 2 lines left out: the reader is too slow", "api   | seen"]);
  });

  test("after its end nothing is printed", () => {
    const system = new FakeSystem(instance("api"));
    const { output, end } = started(system);

    end();
    system.log("api", "late");

    expect(output.lines).toHaveLength(1);
    expect(system.listenersCount).toBe(0);
  });
});
