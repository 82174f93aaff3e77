import { expect, test } from "vitest";
import type { Connection, Listener, Network } from "../base/network.ts";
import type { AnyProcess } from "../kernel/process.ts";
import type { Property } from "../sim/property.ts";
import { simulate } from "./simulate.ts";

const port = 5432;

async function echo(acceptor: AnyProcess, listener: Listener): Promise<void> {
  for (;;) {
    const connection = await listener.accept({ owner: acceptor });
    if (connection === null) return;
    try {
      await copy(connection);
    } catch {
      // The client's loss; the next one is waiting.
    }
    connection.close();
  }
}

async function copy(connection: Connection): Promise<void> {
  for (;;) {
    const bytes = await connection.read({ timeoutMs: 2_000 });
    if (bytes === null) break;
    await connection.write(bytes);
  }
  await connection.end();
}

/** What comes back of `text`; a failure of the network as its code. */
async function ask(self: AnyProcess, network: Network, text: string): Promise<{ answer: string } | { code: string }> {
  let connection: Connection | null = null;
  try {
    connection = await network.connect({ host: "here", port }, { owner: self, timeoutMs: 2_000 });
    await connection.write(new TextEncoder().encode(text));
    await connection.end();
    let answer = "";
    for (;;) {
      const bytes = await connection.read({ timeoutMs: 5_000 });
      if (bytes === null) return { answer };
      answer += new TextDecoder().decode(bytes);
    }
  } catch (error) {
    return { code: String((error as { code?: unknown }).code ?? error) };
  } finally {
    connection?.close();
  }
}

const echoProperty: Property<{ readonly wrong: string[] }> = {
  name: "what an echo server answers is the beginning of what it was sent",
  async setup(self, world) {
    const listener = await world.network.listen({ host: "0.0.0.0", port }, { owner: self });
    for (let count = 0; count < 3; count += 1) self.spawnLink((acceptor) => echo(acceptor, listener));
    return { wrong: [] };
  },
  async workload(self, { wrong }, world) {
    for (let count = 0; count < 20; count += 1) {
      const text = `question ${count} `.repeat(1 + (count % 5));
      const got = await ask(self, world.networkOf("client"), text);
      if ("answer" in got && !text.startsWith(got.answer)) wrong.push(got.answer);
      world.sometimes("code" in got ? got.code : got.answer === text ? "answered" : "cut short");
      await self.sleep(200);
    }
  },
  always: { "no answer is wrong": (system) => system.wrong.length === 0 || system.wrong.join() },
  sometimes: ["answered", "cut short", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EAI_AGAIN", "EMFILE"],
};

test("an echo server under all faults of the network, the end of the system and a power loss", async () => {
  const report = await simulate(
    echoProperty,
    {
      faults: {
        "net-down": 0.01,
        reset: 0.02,
        blackhole: 0.02,
        "slow-network": 0.05,
        "dns-failure": 0.02,
        emfile: 0.02,
        "kill-system": 0.1,
        "power-loss": 0.1,
      },
    },
    { runs: 150, selfCheckEvery: 10 },
  );

  expect(report.ok).toBe(true);
});
