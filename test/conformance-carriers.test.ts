/** Statements about carriers (K) that neither the carrier contract nor a test of one carrier proves. */
import {
  command,
  inspect,
  createSystem,
  isDown,
  MailboxFullError,
  nodePlatform,
  program,
  type AnyPid,
  type OutputMessage,
  type Process,
} from "colos";
import { describe, expect, test } from "vitest";

const { kernel } = createSystem({ platform: nodePlatform({ writeLine: () => {} }) });
const messagesCount = 2000;
const answer = program<readonly [AnyPid, unknown]>("./programs/answer.ts", import.meta.url);

/** Starts a program that answers with what it is sent; `sent` puts a number into a message for it. */
function start(self: Process<unknown>, carrier: string): { readonly pid: AnyPid; send(number: number): void } {
  if (carrier === "command") {
    const pid = self.spawn(command("cat"), { output: self.pid });
    return { pid, send: (number) => self.send(pid, `${number}\n`) };
  }
  const pid = self.spawn(answer, { carrier });
  return { pid, send: (number) => self.send(pid, [self.pid, number]) };
}

/** The numbers in all that is heard until `pid` has ended, or until `until` was among them. */
async function hear(self: Process<unknown>, pid: AnyPid, until = Number.NaN): Promise<number[]> {
  const ref = self.monitor(pid);
  const numbers: number[] = [];
  let text = "";
  for (;;) {
    const message = await self.receive();
    if (isDown(message, ref)) return numbers;
    if (typeof message === "number") numbers.push(message);
    else text += new TextDecoder().decode((message as OutputMessage).data);
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    numbers.push(...lines.map(Number));
    if (numbers.includes(until)) return numbers;
  }
}

test.each(["coroutine", "thread", "os-process", "command"])(
  "K6 what was on its way to a lost carrier reaches neither it twice nor its replacement (%s)",
  async (carrier) => {
    const self = kernel.attach<unknown>();
    const lost = start(self, carrier);
    lost.send(0);
    await hear(self, lost.pid, 0);

    for (let number = 1; number <= messagesCount; number += 1) lost.send(number);
    self.exit(lost.pid, "kill");
    const replacement = start(self, carrier);
    const before = await hear(self, lost.pid);
    replacement.send(-1);
    const after = await hear(self, replacement.pid, -1);

    expect(before).toEqual(before.map((_, index) => index + 1));
    expect(after).toEqual([-1]);
    self.exit(replacement.pid, "kill");
    await hear(self, replacement.pid);
  },
);

describe("K10 a full mailbox follows its policy, and drops are counted exactly", () => {
  const messagesMax = 5;
  const sentCount = 20;
  const deaf = program<number>("./programs/deaf.ts", import.meta.url);
  const numbers = Array.from({ length: sentCount }, (_, index) => index);

  describe.each(["coroutine", "thread", "os-process"])("(%s)", (carrier) => {
    test.each([
      ["dropNewest", numbers.slice(0, messagesMax), sentCount - messagesMax],
      ["dropOldest", numbers.slice(-messagesMax), sentCount - messagesMax],
      ["failSender", numbers.slice(0, messagesMax), sentCount - messagesMax],
      ["block", numbers, 0],
    ] as const)("%s", async (policy, messages, droppedCount) => {
      const self = kernel.attach<unknown>();
      const pid = await self.start(deaf, { carrier, link: false, mailbox: { messagesMax, policy } });
      const sender = kernel.spawn(async (process) => {
        const refused = numbers.filter((number) => !isTaken(() => process.send(pid, number)));
        process.send(self.pid, refused);
        await process.receive();
      });

      const refused = await self.receive();
      const details = await inspect(self, pid, { messagesMax: sentCount });

      expect(details).toMatchObject({ messagesCount: messages.length, droppedCount, messages });
      // Only in the same heap can the sender be told.
      const isTold = policy === "failSender" && carrier === "coroutine";
      expect(refused).toEqual(isTold ? numbers.slice(messagesMax) : []);
      for (const each of [sender, pid]) self.exit(each, "kill");
    });

    test("endReceiver", async () => {
      const self = kernel.attach<unknown>();
      const pid = await self.start(deaf, { carrier, link: false, mailbox: { messagesMax, policy: "endReceiver" } });
      const ref = self.monitor(pid);

      for (const number of numbers) self.send(pid, number);

      expect(await self.receive()).toEqual({
        type: "down",
        ref,
        from: pid,
        reason: { tag: "mailboxFull", messagesMax },
      });
    });
  });
});

function isTaken(send: () => unknown): boolean {
  try {
    send();
    return true;
  } catch (refused) {
    if (refused instanceof MailboxFullError) return false;
    throw refused;
  }
}
