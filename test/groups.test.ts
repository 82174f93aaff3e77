/** Registries, groups, partitions and ancestry for programs on carriers with a kernel of their own. */
import {
  call,
  callersOf,
  child,
  createSystem,
  Groups,
  isDown,
  nodePlatform,
  partitionFor,
  program,
  Registry,
  startGroups,
  startPartitionSupervisor,
  startRegistry,
  stopServer,
  via,
} from "colos";
import { describe, expect, test } from "vitest";

const { kernel } = createSystem({ platform: nodePlatform({ writeLine: () => {} }) });
const member = program("./programs/member.ts", import.meta.url);
const counter = program("./programs/counter.ts", import.meta.url);

describe.each(["coroutine", "thread", "os-process"])("a program on the %s carrier", (carrier) => {
  test("registers, subscribes, publishes, knows its ancestors, and is gone from all with its carrier", async () => {
    const self = kernel.attach<unknown>();
    self.register(`${carrier} test`);
    const names = new Registry<string, string>(
      self,
      await startRegistry(self, { keys: "unique", name: `${carrier} names` }),
    );
    const topics = new Groups<string, unknown>(self, await startGroups(self, { name: `${carrier} topics` }));
    await topics.subscribe("answers");

    const args = ["far", carrier] as const;
    const pid = await self.start(member, { carrier, args, link: false, callers: callersOf(self) });
    const introduction = await self.receive();
    topics.publish("questions", { size: 1 });
    const answer = await self.receive();
    const found = await names.lookup("far");
    const ref = self.monitor(pid);
    self.exit(pid, "kill");
    await self.receive((message) => isDown(message, ref));

    expect(introduction).toEqual({ pid, ancestors: [`${carrier} test`], callers: [self.pid] });
    expect(answer).toEqual(["far", { size: 1 }]);
    expect(found).toEqual([{ pid, value: "a value" }]);
    expect([await names.count(), await topics.getMembers("questions")]).toEqual([0, []]);
    expect(await topics.getMembers("answers")).toEqual([self.pid]);
  });

  test("is started via a key, refused a second time, and called by it", async () => {
    const self = kernel.attach<unknown>();
    const names = new Registry<string>(self, await startRegistry(self, { keys: "unique" }));
    const options = { carrier, link: false, via: via(names.server, "counter") } as const;
    const server = await self.start(counter, options);

    await expect(self.start(counter, options)).rejects.toMatchObject({
      reason: { tag: "alreadyStarted", pid: server },
    });

    expect(await names.call("counter", 2)).toBe(2);
    await stopServer(self, server);
    expect(await names.count()).toBe(0);
  });

  test("is a partition", async () => {
    const self = kernel.attach<unknown>();
    const options = { partitions: 2, child: child("counter", counter, { carrier }) };
    const supervisor = await startPartitionSupervisor(self, options);

    expect(await call(self, await partitionFor(self, supervisor, 1), 5)).toBe(5);
    expect(await call(self, await partitionFor(self, supervisor, 0), 1)).toBe(1);
    await stopServer(self, supervisor);
  });
});
