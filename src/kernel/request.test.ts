/** Requests that an idle server takes at once: nobody can tell the difference. */
import { describe, expect, test } from "vitest";
import { World } from "../testing/world.ts";
import type { AnyPid, Pid } from "./pid.ts";
import type { AnyProcess } from "./process.ts";
import { Request } from "./request.ts";

/** Answers everything with what `answer` gives. */
function reacting(answer: (request: Request, self: AnyProcess) => unknown): (self: AnyProcess) => void {
  return (self) =>
    self.react((message) => {
      if (message instanceof Request) self.reply(message.from, answer(message, self));
    });
}

describe("a request to an idle server", () => {
  test("goes to its body first, when that waits in receive beside the reactor", async () => {
    const world = new World();
    const pid = world.self.spawn(async (self: AnyProcess) => {
      reacting(() => "the reactor")(self);
      const { from } = (await self.receive()) as Request;
      self.reply(from, "the body");
    });
    await world.settle();

    const first = await world.self.request(pid, "?");
    await world.settle();

    expect([first, await world.self.request(pid, "?")]).toEqual(["the body", "the reactor"]);
  });

  test("whose handler ends the caller lets the caller go no further", async () => {
    const world = new World();
    const { self } = world;
    const server = self.spawn(
      reacting((request, process) => {
        process.exit(request.from.owner, "kill");
        return "too late";
      }),
    );
    let went = "nowhere";
    await world.settle();

    self.spawnMonitor(async (caller) => {
      await caller.request(server, "?");
      went = "on";
    });

    expect(await world.all()).toMatchObject([{ type: "down", reason: "killed" }]);
    expect(went).toBe("nowhere");
  });

  test("comes after what the caller sent before", async () => {
    const world = new World();
    const got: unknown[] = [];
    const pid = world.self.spawn((self) => {
      self.react((message) => {
        got.push(message instanceof Request ? message.body : message);
        if (message instanceof Request) self.reply(message.from, [...got]);
      });
    }) as Pid<unknown>;
    await world.settle();

    world.self.send(pid, 1);
    world.self.send(pid, 2);

    expect(await world.self.request(pid, 3)).toEqual([1, 2, 3]);
  });

  test("is charged to the server: its errors end the server, not the caller", async () => {
    const world = new World();
    const { self } = world;
    const server = self.spawn(
      reacting(() => {
        throw new Error("x");
      }),
    );
    const asked: AnyPid[] = [];
    const { pid } = self.spawnMonitor(async (caller) => {
      asked.push(server);
      await caller.request(server, "?").catch(() => {});
      await caller.receive();
    });

    await world.settle();

    expect([asked, self.isAlive(server), self.isAlive(pid)]).toEqual([[server], false, true]);
  });

  test("through a line of servers deeper than the stack may grow gets its answer", async () => {
    const world = new World();
    let next: AnyPid | undefined;
    for (let index = 0; index < 1000; index += 1) {
      const behind = next;
      next = world.self.spawn((self) => {
        self.react(async (message) => {
          const { from } = message as Request;
          self.reply(from, behind === undefined ? 0 : ((await self.request(behind, "?")) as number) + 1);
        });
      });
    }
    await world.settle();

    expect(await world.self.request(next!, "?")).toBe(999);
  });
});

describe("a reply through an alias", () => {
  test.each(["failSender", "block"] as const)(
    "that finds the mailbox full (%s) is dropped and counted, and who answers lives and goes on",
    async (policy) => {
      const world = new World();
      const server = world.self.spawn(reacting((request) => request.body));
      const asker = world.self.spawn(
        async (self) => {
          const alias = self.alias();
          for (const body of [1, 2]) self.send(server as Pid<unknown>, new Request(alias, body));
          await self.receive(() => false);
        },
        { mailbox: { messagesMax: 1, policy } },
      );
      await world.settle();

      const answer = await world.self.request(server, "next", 100);

      expect(answer).toBe("next");
      expect(world.self.info(asker)).toMatchObject({ messagesCount: 1, droppedCount: 1 });
    },
  );
});
