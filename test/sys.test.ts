/** Sys for servers on carriers with a kernel of their own. */
import { call, cast, createSystem, program, stopServer, sys, type AnyPid } from "colos";
import { describe, expect, test } from "vitest";

const { kernel } = createSystem();
const counter = program("./programs/counter.ts", import.meta.url);

describe.each(["coroutine", "thread", "os-process"])("a server on the %s carrier", (carrier) => {
  test("is suspended by name, given a state, and resumed", async () => {
    const self = kernel.attach();
    const name = `counter on ${carrier}`;
    const server: AnyPid = await self.start(counter, { carrier, name, link: false });
    await sys.suspend(self, name);
    const waiting = call(self, name, 1);

    await sys.replaceState(self, name, { value: 41 });
    const status = await sys.getStatus(self, name);
    await sys.resume(self, name);

    expect(status).toMatchObject({ pid: server, mode: "suspended", module: "Counter", state: { value: 41 } });
    expect(await waiting).toBe(42);
    await stopServer(self, name);
  });
});

describe.each(["thread", "os-process"])("a server on the %s carrier", (carrier) => {
  test("whose state cannot be copied says so and lives on", async () => {
    const self = kernel.attach();
    const server = await self.start(counter, { carrier, link: false });
    cast(self, server, "become uncopyable");

    await expect(sys.getState(self, server)).rejects.toThrow("state.uncopyable is a symbol");

    expect(await call(self, server, 1)).toBe(1);
    await stopServer(self, server);
  });
});
