/** Requests that are waited for later, or sent to many. */
import { describe, expect, test } from "vitest";
import type { ExitReason } from "../kernel/exit-reason.ts";
import { timedOut, type AnyProcess } from "../kernel/process.ts";
import { World } from "../testing/world.ts";
import { abcast, multiCall, sendRequest } from "./requests.ts";
import { startServer } from "./server.ts";

/** Answers a number after so many milliseconds; ends with any other request as its reason. */
const create = (self: AnyProcess) => ({
  casts: [] as unknown[],
  async handleCall(request: unknown): Promise<unknown> {
    if (typeof request !== "number") return self.exit(request);
    await self.receive(() => false, { timeoutMs: request });
    return [request, this.casts];
  },
  handleCast(message: unknown): void {
    this.casts.push(message);
  },
});

const start = (world: World, name?: string) =>
  startServer(world.self, create, { link: false, ...(name === undefined ? {} : { name }) });

/** Why something failed. */
const failure = (working: Promise<unknown>): Promise<ExitReason> =>
  working.then(
    (value) => ["value", value],
    (exit: { reason: ExitReason }) => exit.reason,
  );

describe("sendRequest", () => {
  test("receive gives the reply", async () => {
    const world = new World();
    const response = sendRequest(world.self, await start(world), 10);

    await world.advance(10);

    expect(await response.receive()).toEqual([10, []]);
  });

  test("receive fails with a time-out, and the late reply does not reach the mailbox", async () => {
    const world = new World();
    const pid = await start(world);
    const failed = failure(sendRequest(world.self, pid, 6000).receive());

    await world.advance(7000);

    expect(await failed).toEqual({ tag: "call", reason: "timeout", to: String(pid) });
    expect(await world.all()).toEqual([]);
  });

  test("wait gives timedOut, and the reply when it is asked again", async () => {
    const world = new World();
    const response = sendRequest(world.self, await start(world), 30);
    const first = response.wait({ timeoutMs: 20 });
    await world.advance(20);
    const second = response.wait();

    await world.advance(10);

    expect([await first, await second]).toEqual([timedOut, [30, []]]);
  });

  test("a failure waits until somebody asks", async () => {
    const world = new World();
    const pid = await start(world);
    const response = sendRequest(world.self, pid, "gone");
    await world.settle();

    expect(await failure(response.receive())).toEqual({ tag: "call", reason: "gone", to: String(pid) });
    expect(await failure(sendRequest(world.self, "nobody", 1).wait())).toMatchObject({ reason: "noproc" });
  });
});

describe("multiCall", () => {
  test("gives the replies, and the reasons of those that failed", async () => {
    const world = new World();
    const pid = await start(world);
    await start(world, "named");
    const calling = multiCall(world.self, [pid, "nobody", "named"], 10, 25);

    await world.advance(25);

    expect(await calling).toEqual({
      replies: [
        { server: pid, reply: [10, []] },
        { server: "named", reply: [10, []] },
      ],
      failures: [{ server: "nobody", reason: "noproc" }],
    });
  });

  test("has one time-out for all", async () => {
    const world = new World();
    const [one, other] = [await start(world), await start(world)];
    world.self.send(one, "info");
    const slow = sendRequest(world.self, other, 20);
    const calling = multiCall(world.self, [one, other], 10, 15);

    await world.advance(15);

    expect(await calling).toEqual({
      replies: [{ server: one, reply: [10, []] }],
      failures: [{ server: other, reason: "timeout" }],
    });
    await world.advance(20);
    expect(await slow.receive()).toEqual([20, []]);
  });
});

test("abcast casts to all that are there", async () => {
  const world = new World();
  const servers = [await start(world), await start(world)];

  abcast(world.self, [...servers, "nobody", await world.deadPid()], "hello");
  const calling = multiCall(world.self, servers, 0);
  await world.advance(1);

  const reply = [0, ["hello"]];
  expect((await calling).replies).toEqual(servers.map((server) => ({ server, reply })));
});

test("what is no list of servers is refused with a sentence", async () => {
  const { self } = new World();

  await expect(multiCall(self, "one" as never, 1)).rejects.toThrow('servers are a list of pids and names, not "one"');
  expect(() => abcast(self, undefined as never, 1)).toThrow("servers are a list of pids and names, not undefined");
});
