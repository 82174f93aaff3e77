import { expect, test } from "vitest";
import { NetworkError, type Network } from "../../base/network.ts";
import { testNetwork } from "../../testing/network-contract.ts";
import { nodeNetwork } from "./node-network.ts";

/** No name leaves this host. */
function lookup(name: string): Promise<readonly string[]> {
  switch (name) {
    case "loopback.test":
      return Promise.resolve(["127.0.0.1"]);
    case "two-addresses.test":
      return Promise.resolve(["127.0.0.2", "127.0.0.1"]);
    case "empty.test":
      return Promise.resolve([]);
    case "silent.test":
      return new Promise(() => {});
    default:
      return Promise.reject(Object.assign(new Error(`no ${name}`), { code: codes[name] ?? "ENOTFOUND" }));
  }
}

const codes: Readonly<Record<string, string>> = { "again.test": "EAI_AGAIN", "strange.test": "ESTRANGE" };

function network(): Network {
  return nodeNetwork({ lookup });
}

testNetwork({
  system: () => ({ server: network(), client: network() }),
  fixtures: {
    listenHost: "127.0.0.1",
    name: "loopback.test",
    ip: "127.0.0.1",
    unknownName: "nobody.test",
    silentName: "silent.test",
    hostBufferMaxBytes: 12 * 1024 * 1024,
  },
  test,
});

test("the next address of a name is tried when one refuses", async () => {
  const listener = await network().listen({ host: "127.0.0.1", port: 0 });

  const client = await network().connect({ host: "two-addresses.test", port: listener.port });

  expect(client.remote.host).toBe("127.0.0.1");
  client.close();
  await listener.close();
});

test("what the resolver says keeps its code, and a code of its own becomes x-…", async () => {
  const codeOf = async (name: string): Promise<unknown> =>
    network()
      .resolve(name)
      .catch((error: unknown) => (error instanceof NetworkError ? error.code : error));

  expect(await codeOf("again.test")).toBe("EAI_AGAIN");
  expect(await codeOf("strange.test")).toBe("x-ESTRANGE");
  expect(await codeOf("empty.test")).toBe("ENOTFOUND");
});

test("localhost is resolved by the host", async () => {
  const addresses = await nodeNetwork().resolve("localhost");

  expect(addresses.some((address) => address === "127.0.0.1" || address === "::1")).toBe(true);
});
