import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { InstanceState, InstanceStatus } from "../control/service.ts";
import { textWidth } from "./text.ts";
import { renderView, type ViewOptions } from "./view.ts";

const options: ViewOptions = { title: "shop", colour: false, phase: "running", elapsedMs: 12_400 };

function instance(name: string, rest: Partial<InstanceStatus> = {}): InstanceStatus {
  return { name, service: name, instance: 1, carrier: "os-process", state: "ready", restartsCount: 0, ...rest };
}

const shop = [
  instance("db", {
    carrier: "command",
    osPid: 4211,
    uptimeMs: 12_000,
    memoryBytes: 45_193_000,
    cpuPercent: 0.3,
    lastLogLine: "ready to accept connections",
  }),
  instance("api", {
    osPid: 4212,
    uptimeMs: 11_000,
    memoryBytes: 52_428_800,
    cpuPercent: 12,
    restartsCount: 2,
    lastLogLine: "GET /items 200",
  }),
  instance("web", { state: "waiting", reason: "waits for api" }),
];

describe("view: wide", () => {
  test("shows every column", () => {
    expect(renderView(shop, { columns: 120, rows: 24 }, options)).toEqual([
      "shop: 2 of 3 ready, up 12s · Ctrl+C stops",
      "",
      "name  carrier     state         pid   uptime  restarts   memory    cpu  last line",
      "db    command     ready        4211      12s         0  43.1 MB  0.3 %  ready to accept connections",
      "api   os-process  ready        4212      11s         2  50.0 MB   12 %  GET /items 200",
      "web   os-process  waiting         -        -         0        -      -  waits for api",
    ]);
  });

  test("a failed instance has a row that says why", () => {
    const lines = renderView(
      [instance("api", { state: "failed", reason: "exited with code 1" })],
      { columns: 100, rows: 9 },
      options,
    );

    expect(lines[0]).toBe("shop: 0 of 1 ready, 1 failed, up 12s · Ctrl+C stops");
    expect(lines.at(-1)).toBe("  └ exited with code 1");
  });

  test("an instance in backoff has a row that says why", () => {
    const lines = renderView(
      [instance("api", { state: "backoff", reason: "exited with code 1" })],
      { columns: 100, rows: 9 },
      options,
    );

    expect(lines[0]).toContain("1 in backoff");
    expect(lines.at(-1)).toBe("  └ exited with code 1");
  });

  test("wide characters keep the columns in place", () => {
    const lines = renderView([instance("a"), instance("日本")], { columns: 120, rows: 9 }, options);

    expect(textWidth(lines[3]!.slice(0, lines[3]!.indexOf("os-process")))).toBe(6);
    expect(textWidth(lines[4]!.slice(0, lines[4]!.indexOf("os-process")))).toBe(6);
  });
});

describe("view: narrow", () => {
  test("80 columns leave out the carrier", () => {
    expect(renderView(shop, { columns: 80, rows: 24 }, options).slice(2)).toEqual([
      "name  state         pid   uptime  restarts   memory    cpu  last line",
      "db    ready        4211      12s         0  43.1 MB  0.3 %  ready to accept con…",
      "api   ready        4212      11s         2  50.0 MB   12 %  GET /items 200",
      "web   waiting         -        -         0        -      -  waits for api",
    ]);
  });

  test("40 columns leave name, state and log line", () => {
    expect(renderView(shop, { columns: 40, rows: 24 }, options).slice(2)).toEqual([
      "name  state     last line",
      "db    ready     ready to accept connect…",
      "api   ready     GET /items 200",
      "web   waiting   waits for api",
    ]);
  });

  test("the hint goes before the state line is cut", () => {
    expect(renderView(shop, { columns: 30, rows: 24 }, options)[0]).toBe("shop: 2 of 3 ready, up 12s");
  });

  test("a long name is cut", () => {
    const [, , , row] = renderView([instance("x".repeat(64))], { columns: 120, rows: 24 }, options);

    expect(row).toMatch(/^x{31}…  os-process/);
  });
});

describe("view: low", () => {
  const many = Array.from({ length: 20 }, (_, at) => instance(`s${at + 1}`));

  test("more instances than rows end with a line that counts the rest", () => {
    const lines = renderView(many, { columns: 100, rows: 9 }, options);

    expect(lines).toHaveLength(9);
    expect(lines.at(-1)).toBe("… and 14 more");
  });

  test("the line about the rest tells of problems in it", () => {
    const lines = renderView(
      [...many, instance("bad", { state: "failed", reason: "why" })],
      { columns: 100, rows: 9 },
      options,
    );

    expect(lines.at(-1)).toBe("… and 15 more (1 failed)");
  });

  test("exactly as many rows as needed leave out the empty line only", () => {
    const lines = renderView(many, { columns: 100, rows: 22 }, options);

    expect(lines).toHaveLength(22);
    expect(lines[1]).toMatch(/^name/);
    expect(lines.at(-1)).toMatch(/^s20 /);
  });

  test("one row is the state line", () => {
    expect(renderView(many, { columns: 100, rows: 1 }, options)).toEqual([
      "shop: 20 of 20 ready, up 12s · Ctrl+C stops",
    ]);
  });
});

describe("view: phases", () => {
  test("stopping counts what still runs and says how to kill", () => {
    const instances = [instance("a", { state: "stopping" }), instance("b", { state: "stopped" })];

    expect(renderView(instances, { columns: 100, rows: 9 }, { ...options, phase: "stopping" })[0]).toBe(
      "shop: stopping, 1 of 2 still running · Ctrl+C again kills",
    );
  });

  test("ended says how long it ran", () => {
    expect(renderView(shop, { columns: 100, rows: 9 }, { ...options, phase: "ended" })[0]).toBe(
      "shop: ended after 12s",
    );
  });
});

describe("view: what a service writes", () => {
  test("escapes and control characters do not reach the terminal", () => {
    const lines = renderView(
      [instance("a", { lastLogLine: "\u001b[2Jgone\u0007\r\nX" })],
      { columns: 120, rows: 9 },
      options,
    );

    expect(lines.join("\n")).not.toContain("\u001b");
    expect(lines[3]).toMatch(/X$/);
  });

  test("a reason is cleaned as well", () => {
    const lines = renderView(
      [instance("a", { state: "failed", reason: "\u001b[31mwhy" })],
      { columns: 120, rows: 9 },
      options,
    );

    expect(lines.at(-1)).toBe("  └ why");
  });
});

describe("view: colour", () => {
  test("only colours are added", () => {
    const size = { columns: 100, rows: 24 };
    const withoutColours = renderView(shop, size, { ...options, colour: true }).map((line) =>
      // oxlint-disable-next-line no-control-regex
      line.replaceAll(/\u001b\[\d+m/g, ""),
    );

    expect(withoutColours.map((line) => line.trimEnd())).toEqual(renderView(shop, size, options));
  });

  test("states are coloured", () => {
    expect(renderView(shop, { columns: 100, rows: 24 }, { ...options, colour: true })[3]).toContain("\u001b[32mready");
  });
});

describe("view: any size", () => {
  test("never more lines than rows, never a line wider than the columns", () => {
    const states: InstanceState[] = ["waiting", "starting", "ready", "stopping", "stopped", "backoff", "failed"];
    const anyInstance = fc
      .record({
        name: fc.stringMatching(/^[a-z]{1,64}$/),
        state: fc.constantFrom(...states),
        lastLogLine: fc.string({ unit: "binary" }),
        reason: fc.string({ unit: "grapheme" }),
        memoryBytes: fc.nat(),
        osPid: fc.nat(),
      })
      .map(({ name, ...rest }) => instance(name, rest));
    const size = fc.record({ columns: fc.integer({ min: 1, max: 200 }), rows: fc.integer({ min: 0, max: 40 }) });
    fc.assert(
      fc.property(fc.array(anyInstance), size, fc.boolean(), (instances, { columns, rows }, colour) => {
        const lines = renderView(instances, { columns, rows }, { ...options, colour });

        expect(lines.length).toBeLessThanOrEqual(rows);
        for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(columns);
      }),
    );
  });
});
