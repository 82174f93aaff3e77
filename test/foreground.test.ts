/** The foreground manager as a face meets it, in this OS process: the races that no person's fingers can produce. */
import { AsyncLocalStorage } from "node:async_hooks";
import { resolve } from "node:path";
import { describe, expect } from "vitest";
import { parseConfig } from "../src/control/config-parser.ts";
import type { SystemEvent } from "../src/control/service.ts";
import { startForeground } from "../src/daemon/foreground/foreground.ts";
import { createSystem } from "../src/node-system.ts";
import { assertPortFree } from "../src/os/port-holder.ts";
import { nodePlatform } from "../src/platforms/node/node-platform.ts";
import type { RunningSystem } from "../src/control/service.ts";
import { needsLinux } from "./debian.ts";
import { turn } from "./system/turn.ts";
import { test, type Place } from "./system/place.ts";

/** A system of these services, what it tells and what it logs. */
function start(place: Place, services: object): { system: RunningSystem; events: SystemEvent[]; log: string[] } {
  const parsed = parseConfig({ services }, { source: "test", directory: place.folder, resolve });
  if (!("plan" in parsed)) throw new Error(parsed.problems.map(({ message }) => message).join("\n"));
  const log: string[] = [];
  const platform = nodePlatform({ writeLine: (line) => void log.push(line) });
  const env = Object.fromEntries(Object.entries(place.env).map(([name, value]) => [name, value ?? null]));
  const services_ = parsed.plan.services.map((service) => ({ ...service, env: { ...env, ...service.env } }));
  const system = startForeground(createSystem({ platform }).kernel, { services: services_ });
  const events: SystemEvent[] = [];
  system.subscribe((event) => events.push(event));
  return { system, events, log };
}

/** Resolves with the first event that is asked for. */
function heard(system: RunningSystem, isIt: (event: SystemEvent) => boolean): Promise<SystemEvent> {
  return new Promise((resolve) => {
    const undo = system.subscribe((event) => {
      if (!isIt(event)) return;
      undo();
      resolve(event);
    });
  });
}

const staying = { command: ["sleep", "1000"] };
const isUp = (event: SystemEvent): boolean => event.type === "up";

needsLinux().describe("the foreground manager", () => {
  for (const end of ["stop", "kill"] as const) {
    test(`${end} before anything is started leaves nothing, and it ends once`, async ({ place }) => {
      const { system, events } = start(place, { db: staying, web: { ...staying, instances: 3, dependsOn: ["db"] } });

      system[end]();
      system[end]();

      expect(await system.ended).toBe(0);
      expect(events.filter(({ type }) => type === "ended")).toEqual([{ type: "ended", exitCode: 0 }]);
      expect(events.filter(({ type }) => type === "stopping")).toHaveLength(1);
      expect(system.instances().map(({ state }) => state)).toEqual(["stopped", "stopped", "stopped", "stopped"]);
    });

    test(`${end} while a port is opened gives the port back`, async ({ place }) => {
      const port = await place.port();
      const { system } = start(place, { web: { ...staying, listen: port, instances: 2 } });
      await turn();

      system[end]();

      expect(await system.ended).toBe(0);
      await assertPortFree(port, "0.0.0.0");
    });

    test(`${end} while instances start one after the other leaves none`, async ({ place }) => {
      const { system } = start(place, { web: { ...staying, instances: 20 } });
      await heard(system, (event) => event.type === "state" && event.status.instance === 3);

      system[end]();

      expect(await system.ended).toBe(0);
    });
  }

  test("kill during a restart's wait ends at once", async ({ place }) => {
    const { system, events } = start(place, { web: { command: ["sh", "-c", "exit 3"], backoff: { initialMs: 0 } } });
    await heard(system, (event) => event.type === "state" && event.status.state === "backoff");

    system.kill();

    await system.ended;
    expect(events.at(-1)).toMatchObject({ type: "ended" });
  });

  test("a listener that throws is told nothing more; the others and the system go on", async ({ place }) => {
    const { system, events, log } = start(place, { web: staying });
    let calls = 0;
    system.subscribe(() => {
      calls += 1;
      throw new Error("bad face");
    });
    await heard(system, isUp);

    system.stop();

    expect(await system.ended).toBe(0);
    expect(calls).toBe(1);
    expect(events.at(-1)).toEqual({ type: "ended", exitCode: 0 });
    expect(log).toEqual([expect.stringMatching(/a listener of the system threw.*bad face/)]);
  });

  test("a listener runs in the asynchronous context of whoever subscribed", async ({ place }) => {
    const context = new AsyncLocalStorage<string>();
    const { system } = start(place, { web: { command: ["sh", "-c", "echo word; exec sleep 1000"] } });
    const contexts = new Set<string | undefined>();
    context.run("face", () => system.subscribe(() => contexts.add(context.getStore())));
    await heard(system, (event) => event.type === "log");

    system.stop();

    expect(await system.ended).toBe(0);
    expect([...contexts]).toEqual(["face"]);
  });

  test("the second instance that fails before it is ready ends the first one too", async ({ place }) => {
    const command = ["sh", "-c", 'echo up; test "$COLOS_INSTANCE" = 1 && exec sleep 1000; exit 4'];
    const { system, events } = start(place, {
      web: { command, instances: 2, ready: { log: "never", timeoutMs: 60_000 } },
    });

    expect(await system.ended).toBe(1);
    expect(events.at(-1)).toMatchObject({ problem: "web.2 ended before it was ready: exit code 4" });
    expect(system.instances().map(({ state }) => state)).toEqual(["stopped", "failed"]);
  });
});

describe("the end of the OS process of colos", () => {
  needsLinux().describe("by a program on a coroutine that calls process.exit", () => {
    test("ends all services", async ({ place }) => {
      place.write(
        "exit.ts",
        'import { defineProgram } from "colos";\nexport default defineProgram(() => process.exit(5));\n',
      );
      const colos = place.up({ ok: staying, bad: { program: "exit.ts", carrier: "coroutine", dependsOn: ["ok"] } });

      expect(await colos.ended).toEqual({ code: 5, signal: null });
    });
  });
});
