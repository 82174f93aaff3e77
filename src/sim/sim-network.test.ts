import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VirtualHost } from "../../test/virtual-host.ts";
import { bufferMaxBytesDefault, NetworkError, type Connection, type Listener, type Network } from "../base/network.ts";
import { testNetwork } from "../testing/network-contract.ts";
import { SeededChoices } from "./choices.ts";
import { lastingStepMs, lastingStepsMax } from "./sim-subject.ts";
import { chunksPerReadMax, chunksPerWriteMax } from "./sim-connection.ts";
import {
  anyPortMin,
  silenceMaxMsDefault,
  SimNetwork,
  socketsMaxDefault,
  type SimNetworkOptions,
} from "./sim-network.ts";

describe.each([
  ["as dull as can be", () => new VirtualHost()],
  ["seed 1", () => new VirtualHost(new SeededChoices(1))],
  ["seed 2", () => new VirtualHost(new SeededChoices(2))],
] as const)("the contract, %s", (_name, host) => {
  testNetwork({
    system: () => {
      const network = new SimNetwork(host(), { names: { silent: ["10.9.9.9", "dark"] } });
      const [client, server] = [network.on("web"), network.on("db")];
      network.on("dark");
      network.hostLost("dark");
      return { server, client };
    },
    fixtures: {
      listenHost: "db",
      name: "db",
      ip: "10.0.0.2",
      unknownName: "nobody",
      silentName: "silent",
      hostBufferMaxBytes: 0,
    },
    test,
  });
});

interface Scene {
  readonly host: VirtualHost;
  readonly network: SimNetwork;
  readonly web: Network;
  readonly db: Network;
}

function scene(options: SimNetworkOptions = {}, host = new VirtualHost()): Scene {
  const network = new SimNetwork(host, options);
  return { host, network, web: network.on("web"), db: network.on("db") };
}

interface Pair extends Scene {
  readonly listener: Listener;
  readonly client: Connection;
  readonly server: Connection;
}

const route = "web>db:5432";

async function pair(options: SimNetworkOptions = {}, host = new VirtualHost()): Promise<Pair> {
  const found = scene(options, host);
  const listener = await found.db.listen({ host: "0.0.0.0", port: 5432 });
  const client = await found.web.connect({ host: "db", port: 5432 });
  const server = await listener.accept();
  return { ...found, listener, client, server: server! };
}

function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : new TextDecoder().decode(bytes);
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "no error",
    (error: unknown) => (error instanceof NetworkError ? error.code : error),
  );
}

/** What each word of the story is about. */
function told({ story }: VirtualHost): string[] {
  return story.map(({ subject, what }) => `${subject} ${what}`);
}

/** Reads what comes; how it ended stands last. */
async function readToEnd(connection: Connection): Promise<string> {
  let all = "";
  for (;;) {
    try {
      const chunk = await connection.read();
      if (chunk === null) return `${all} end`;
      all += text(chunk);
    } catch (error) {
      return `${all} ${(error as NetworkError).code}`;
    }
  }
}

describe("without faults", () => {
  test("a byte takes the least latency when every choice is 0", async () => {
    const { host, client, server } = await pair({ latencyMinMs: 7, latencyMaxMs: 9 });
    const sentAtMs = host.nowMs();
    await client.write(bytes("a"));
    await server.read();

    expect(host.nowMs() - sentAtMs).toBe(7);
  });

  test("what is written and dull arrives in the same chunks", async () => {
    const { client, server } = await pair();
    for (const word of ["one", "two", "three"]) await client.write(bytes(word));

    expect([text(await server.read()), text(await server.read()), text(await server.read())]).toEqual([
      "one",
      "two",
      "three",
    ]);
  });

  test("chunks are cut and joined by choice, within limits", async () => {
    const seen = new Set<number>();
    for (let seed = 1; seed <= 30; seed += 1) {
      const { host, client, server } = await pair({}, new VirtualHost(new SeededChoices(seed)));
      await client.write(bytes("0123456789"));
      await client.write(bytes("0123456789"));
      await client.end();
      await host.pause(100);
      let count = 0;
      while ((await server.read()) !== null) count += 1;
      seen.add(count);
    }

    expect(Math.max(...seen)).toBeGreaterThan(2);
    expect(Math.min(...seen)).toBe(1);
    expect(Math.max(...seen)).toBeLessThanOrEqual(2 * chunksPerWriteMax);
    expect(chunksPerReadMax).toBeGreaterThan(1);
  });

  test("bytes that are changed after they were written arrive changed", async () => {
    const { client, server } = await pair();
    const buffer = bytes("good");
    await client.write(buffer);
    buffer.set(bytes("evil"));

    expect(text(await server.read())).toBe("evil");
  });

  test("bytes that have arrived stay as they are", async () => {
    const { host, client, server } = await pair();
    const buffer = bytes("good");
    await client.write(buffer);
    await host.pause(100);
    buffer.set(bytes("evil"));

    expect(text(await server.read())).toBe("good");
  });

  test("a reset drops what was not read, or it does not", async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 20; seed += 1) {
      const { host, client, server } = await pair({}, new VirtualHost(new SeededChoices(seed)));
      await client.write(bytes("unread"));
      await host.pause(100);
      client.reset();
      await host.pause(100);
      seen.add(await readToEnd(server));
    }

    expect([...seen].toSorted()).toEqual([" ECONNRESET", "unread ECONNRESET"]);
  });

  test("a machine reaches itself by localhost, others do not", async () => {
    const { db, web } = scene();
    const listener = await db.listen({ host: "localhost", port: 80 });
    const [client] = await Promise.all([db.connect({ host: "localhost", port: 80 }), listener.accept()]);

    expect(client.remote).toEqual({ host: "127.0.0.1", port: 80 });
    expect(await codeOf(web.connect({ host: "db", port: 80 }))).toBe("ECONNREFUSED");
    expect(await codeOf(db.connect({ host: "db", port: 80 }))).toBe("ECONNREFUSED");
  });

  test("a port is taken on an address and on all of them, but not on two addresses", async () => {
    const { db } = scene();
    await db.listen({ host: "localhost", port: 80 });
    await db.listen({ host: "db", port: 80 });

    expect(await codeOf(db.listen({ host: "0.0.0.0", port: 80 }))).toBe("EADDRINUSE");
    expect(await codeOf(db.listen({ host: "web", port: 81 }))).toBe("x-EADDRNOTAVAIL");
  });

  test("two machines have the same port", async () => {
    const { db, web } = scene();

    await db.listen({ host: "0.0.0.0", port: 80 });

    expect((await web.listen({ host: "0.0.0.0", port: 80 })).port).toBe(80);
  });

  test("an address that no machine has is out of reach", async () => {
    expect(await codeOf(scene().web.connect({ host: "10.1.2.3", port: 80 }))).toBe("ENETUNREACH");
  });

  test("names of the table stand for machines and addresses", async () => {
    const { web } = scene({ names: { primary: ["db"], many: ["10.7.7.7", "web"], void: [] } });

    expect(await web.resolve("primary")).toEqual(["10.0.0.2"]);
    expect(await web.resolve("many")).toEqual(["10.7.7.7", "10.0.0.1"]);
    expect(await codeOf(web.resolve("void"))).toBe("ENOTFOUND");
    expect(await codeOf(web.resolve("constructor"))).toBe("ENOTFOUND");
  });

  test("an OS process has a limit of sockets, and one that is closed is free again", async () => {
    const { db, network } = scene({ socketsMax: 3 });
    const listeners = [];
    for (let count = 0; count < 3; count += 1) listeners.push(await db.listen({ host: "db", port: 0 }));

    expect(await codeOf(db.listen({ host: "db", port: 0 }))).toBe("EMFILE");
    expect(await codeOf(db.connect({ host: "web", port: 80 }))).toBe("EMFILE");
    await listeners[0]?.close();
    expect(network.socketsOpen("db")).toBe(2);
    expect((await db.listen({ host: "db", port: 0 })).port).toBeGreaterThan(anyPortMin);
    expect(socketsMaxDefault).toBe(1_000);
  });

  test("a server without room for a socket accepts and closes at once", async () => {
    const { db, web, host } = scene({ socketsMax: 1 });
    const listener = await db.listen({ host: "db", port: 80 });
    const client = await web.connect({ host: "db", port: 80 });

    expect(await client.read()).toBeNull();
    await listener.close();
    expect(await listener.accept()).toBeNull();
    expect(told(host)).toEqual(["10.0.0.2:80 accepts and closes at once: too many files are open (emfile)"]);
  });

  test("connections leave no socket behind", async () => {
    const { client, server, listener, network } = await pair();
    client.close();
    expect(await server.read()).toBeNull();
    server.close();
    await listener.close();

    expect([network.socketsOpen("web"), network.socketsOpen("db")]).toEqual([0, 0]);
  });

  test("an end that closes with unread bytes resets the other", async () => {
    const { client, server, host } = await pair();
    await client.write(bytes("unread"));
    await host.pause(50);
    server.close();

    expect(await codeOf(client.read())).toBe("ECONNRESET");
  });

  test("an OS process is on one machine", () => {
    const { network } = scene();
    network.on("web", "api");

    expect(() => network.on("db", "api")).toThrow("the OS process api is on web, not db");
  });

  test("limits that are none are refused", () => {
    const host = new VirtualHost();

    expect(() => new SimNetwork(host, { socketsMax: 0 })).toThrow(RangeError);
    expect(() => new SimNetwork(host, { latencyMinMs: 5, latencyMaxMs: 4 })).toThrow(RangeError);
    expect(() => new SimNetwork(host, { latencyMinMs: Number.NaN })).toThrow(RangeError);
  });
});

describe("faults", () => {
  test("net-down fails attempts to connect, for a time", async () => {
    const { host, db, web } = scene();
    await db.listen({ host: "db", port: 80 });
    host.faults.next("net-down", "web");

    expect(await codeOf(web.connect({ host: "10.0.0.2", port: 80 }))).toBe("ENETUNREACH");
    expect(await codeOf(web.connect({ host: "db", port: 80 }))).toBe("EAI_AGAIN");
    await host.pause(lastingStepMs);
    expect((await web.connect({ host: "db", port: 80 })).remote.port).toBe(80);
    expect(told(host)).toEqual(["web has no network, for 1000 ms (net-down)"]);
  });

  test("net-down holds back what a connection sends, and nothing is lost", async () => {
    const { host, client, server } = await pair();
    host.faults.next("net-down", "web", 4);
    await client.write(bytes("late"));

    expect(text(await server.read())).toBe("late");
    expect(host.nowMs()).toBeGreaterThanOrEqual(5 * lastingStepMs);
  });

  test("an attempt to connect to a machine without network goes on when it is back, or gives up", async () => {
    const { network, host, db, web } = scene();
    await db.listen({ host: "db", port: 80 });
    network.strike("net-down", "db", 10_000);

    expect(await codeOf(web.connect({ host: "10.0.0.2", port: 80 }, { timeoutMs: 9_000 }))).toBe("ETIMEDOUT");
    expect((await web.connect({ host: "10.0.0.2", port: 80 })).remote.port).toBe(80);
    expect(host.nowMs()).toBeGreaterThanOrEqual(10_000);
  });

  test.each([
    [0, "hello ECONNRESET"],
    [1, " ECONNRESET"],
  ])("reset with severity %i breaks a connection for both ends", async (severity, seen) => {
    const { host, client, server } = await pair();
    await client.write(bytes("hello"));
    host.faults.next("reset", route, severity);

    expect(await codeOf(client.write(bytes("lost")))).toBe("ECONNRESET");
    expect(await readToEnd(server)).toBe(seen);
    expect(await codeOf(client.read())).toBe("ECONNRESET");
    expect(host.story).toHaveLength(1);
  });

  test("reset also strikes who only reads", async () => {
    const { host, client, server } = await pair();
    host.faults.next("reset", route);

    expect(await codeOf(server.read())).toBe("ECONNRESET");
    expect(await codeOf(client.read())).toBe("ECONNRESET");
  });

  test("a blackhole is silence for who reads, and ETIMEDOUT for who sends", async () => {
    const { host, client, server } = await pair();
    host.faults.next("blackhole", route);
    await client.write(bytes("into the void"));
    const sentAtMs = host.nowMs();

    expect(await codeOf(server.read({ timeoutMs: 60_000 }))).toBe("ETIMEDOUT");
    expect(await codeOf(client.read())).toBe("ETIMEDOUT");
    expect(host.nowMs() - sentAtMs).toBe(silenceMaxMsDefault);
    expect(await codeOf(server.read({ timeoutMs: silenceMaxMsDefault }))).toBe("ETIMEDOUT");
    expect(told(host)).toEqual([`${route} swallows everything from now on, and nobody is told (blackhole)`]);
  });

  test("a blackhole ends a write that waits for room", async () => {
    const { network, client, server } = await pair({ silenceMaxMs: 5_000 });
    const written = client.write(new Uint8Array(2 * bufferMaxBytesDefault));
    network.strike("blackhole", "db:5432");

    expect(await codeOf(written)).toBe("ETIMEDOUT");
    server.close();
  });

  test("a blackhole swallows an attempt to connect", async () => {
    const { host, db, web } = scene();
    await db.listen({ host: "db", port: 5432 });
    host.faults.next("blackhole", route);

    expect(await codeOf(web.connect({ host: "db", port: 5432 }, { timeoutMs: 1_000 }))).toBe("ETIMEDOUT");
    expect((await web.connect({ host: "db", port: 5432 }, { timeoutMs: 1_000 })).remote.port).toBe(5432);
  });

  test("slow-network makes bytes late and keeps their order", async () => {
    const { host, client, server } = await pair();
    await client.write(bytes("a"));
    host.faults.next("slow-network", route, 2);
    await client.write(bytes("b"));
    await client.write(bytes("c"));
    await client.end();
    await server.read();
    const firstAtMs = host.nowMs();

    expect(await readToEnd(server)).toBe("bc end");
    expect(firstAtMs).toBeLessThan(lastingStepMs);
    expect(host.nowMs()).toBeGreaterThanOrEqual(3 * lastingStepMs);
    expect(told(host)).toEqual([`${route} is slow: what web sends arrives 3000 ms later (slow-network)`]);
  });

  test("slow-network does not slow the other direction", async () => {
    const { network, host, client, server } = await pair();
    host.faults.next("slow-network", route);
    await client.write(bytes("late"));
    await server.write(bytes("soon"));
    expect(text(await client.read())).toBe("soon");
    expect(host.nowMs()).toBeLessThan(lastingStepMs);

    network.strike("slow-network");
    await server.write(bytes("late"));
    await client.read();
    expect(host.nowMs()).toBeGreaterThanOrEqual(lastingStepMs);
  });

  test("port-in-use fails a listen, for a time", async () => {
    const { host, db } = scene();
    host.faults.next("port-in-use", "db:80");

    expect(await codeOf(db.listen({ host: "db", port: 80 }))).toBe("EADDRINUSE");
    expect(await codeOf(db.listen({ host: "db", port: 80 }))).toBe("EADDRINUSE");
    await host.pause(lastingStepMs);
    expect((await db.listen({ host: "db", port: 80 })).port).toBe(80);
    expect(told(host)).toEqual(["db:80 is taken by somebody else, for 1000 ms (port-in-use)"]);
  });

  test("dns-failure fails names and not addresses, for a time", async () => {
    const { host, db, web } = scene();
    await db.listen({ host: "db", port: 80 });
    host.faults.next("dns-failure", "web", lastingStepsMax);

    expect(await codeOf(web.resolve("db"))).toBe("EAI_AGAIN");
    expect(await codeOf(web.connect({ host: "db", port: 80 }))).toBe("EAI_AGAIN");
    expect((await web.connect({ host: "10.0.0.2", port: 80 })).remote.port).toBe(80);
    expect(await web.resolve("localhost")).toEqual(["127.0.0.1"]);
    await host.pause(lastingStepMs * lastingStepsMax);
    expect(await web.resolve("db")).toEqual(["10.0.0.2"]);
  });

  test("emfile fails new sockets of one OS process, for a time, and leaves the old ones", async () => {
    const { host, db, web, client, server } = await pair();
    host.faults.next("emfile", "web");

    expect(await codeOf(web.connect({ host: "db", port: 5432 }))).toBe("EMFILE");
    expect(await codeOf(web.listen({ host: "web", port: 1 }))).toBe("EMFILE");
    expect((await db.listen({ host: "db", port: 0 })).port).toBeGreaterThan(0);
    await client.write(bytes("still"));
    expect(text(await server.read())).toBe("still");
    await host.pause(lastingStepMs);
    expect((await web.listen({ host: "web", port: 1 })).port).toBe(1);
  });

  test("emfile of a server accepts and closes at once", async () => {
    const { network, web } = await pair();
    network.strike("emfile", "db", 5_000);
    const client = await web.connect({ host: "db", port: 5432 });

    expect(await client.read()).toBeNull();
  });

  test("a planned fault strikes what it names, and everything without a name", async () => {
    const { network, host, db, web, client } = await pair();
    const other = await db.listen({ host: "db", port: 6 });
    const second = await web.connect({ host: "db", port: 6 });
    network.strike("reset", "db:6");
    expect(await codeOf(second.read())).toBe("ECONNRESET");
    expect(await codeOf(client.write(bytes("still")))).toBe("no error");

    network.strike("reset");
    expect(await codeOf(client.read())).toBe("ECONNRESET");
    network.strike("net-down");
    expect(await codeOf(db.connect({ host: "10.0.0.1", port: 1 }))).toBe("ENETUNREACH");
    await host.pause(lastingStepMs);
    network.strike("dns-failure");
    expect(await codeOf(db.resolve("web"))).toBe("EAI_AGAIN");
    network.strike("emfile");
    expect(await codeOf(db.listen({ host: "localhost", port: 0 }))).toBe("EMFILE");
    network.strike("port-in-use", "db:7");
    await other.close();
    expect(host.story.length).toBeGreaterThan(5);
  });

  test("in the calm everything that lasts is over", async () => {
    const { network, host, db, web, client, server } = await pair();
    await client.write(bytes("soon"));
    for (const fault of ["net-down", "dns-failure", "emfile"] as const) network.strike(fault, undefined, 50_000);
    network.strike("port-in-use", "db:80", 50_000);
    const connecting = codeOf(web.connect({ host: "10.0.0.2", port: 5432 }));
    const reading = server.read();
    await host.pause(1_000);
    network.calm();

    expect(text(await reading)).toBe("soon");
    expect(await connecting).toBe("EMFILE");
    expect((await db.listen({ host: "db", port: 80 })).port).toBe(80);
    expect(await web.resolve("db")).toEqual(["10.0.0.2"]);
    expect((await web.connect({ host: "db", port: 80 })).remote.port).toBe(80);
    expect(host.nowMs()).toBeLessThan(1_200);
  });

  test("the calm lets through who was trying to connect", async () => {
    const { network, host, db, web } = scene();
    await db.listen({ host: "db", port: 80 });
    network.strike("net-down", "db", 20_000);
    const connecting = web.connect({ host: "10.0.0.2", port: 80 });
    await host.pause(1_000);
    network.calm();

    expect((await connecting).remote.port).toBe(80);
    expect(host.nowMs()).toBeLessThan(1_100);
  });

  test("without a plan nothing is ever decided but latencies and cuts", async () => {
    const { host, client, server } = await pair();
    await client.write(bytes("a"));
    await server.read();

    expect(host.story).toEqual([]);
    expect(new Set(host.faults.asked.map((asked) => asked.split(" ")[0]))).toEqual(
      new Set(["emfile", "port-in-use", "dns-failure", "net-down", "blackhole", "slow-network", "reset"]),
    );
  });
});

describe("what ends", () => {
  test("a killed OS process's connections are reset, and its ports are free", async () => {
    const { network, client, db, web } = await pair();
    network.ownerKilled("db");

    expect(await codeOf(client.read())).toBe("ECONNRESET");
    expect(await codeOf(web.connect({ host: "db", port: 5432 }))).toBe("ECONNREFUSED");
    expect((await db.listen({ host: "db", port: 5432 })).port).toBe(5432);
  });

  test("the other choice is that they end in order", async () => {
    const endings = new Set<unknown>();
    for (let seed = 1; seed <= 20; seed += 1) {
      const { network, client, server } = await pair({}, new VirtualHost(new SeededChoices(seed)));
      await server.write(bytes("last words"));
      network.hostKilled("db");
      endings.add(await readToEnd(client));
    }

    expect(endings).toContain("last words end");
    expect(endings).toContain("last words ECONNRESET");
  });

  test("only the OS processes of the machine that was killed lose connections", async () => {
    const { network, web, client, server } = await pair();
    const api = network.on("web", "api");
    const listener = await api.listen({ host: "web", port: 80 });
    network.ownerKilled("api");
    expect(await codeOf(web.connect({ host: "web", port: 80 }))).toBe("ECONNREFUSED");

    network.hostKilled("cache");
    await client.write(bytes("still"));
    expect(text(await server.read())).toBe("still");
    expect(network.socketsOpen("api")).toBe(0);
    expect(listener.port).toBe(80);
  });

  test("connections that wait to be accepted are reset with their listener", async () => {
    const { network, web } = await pair();
    const waiting = await web.connect({ host: "db", port: 5432 });
    network.ownerKilled("db");

    expect(await codeOf(waiting.read())).toBe("ECONNRESET");
  });

  test("a machine without power is silent", async () => {
    const { network, host, client, web } = await pair({ silenceMaxMs: 20_000 });
    network.hostLost("db");

    expect(await codeOf(client.read({ timeoutMs: 100_000 }))).toBe("ETIMEDOUT");
    expect(await codeOf(web.connect({ host: "db", port: 5432 }, { timeoutMs: 50 }))).toBe("ETIMEDOUT");
    const sentAtMs = host.nowMs();
    await client.write(bytes("anybody?"));
    expect(await codeOf(client.read())).toBe("ETIMEDOUT");
    expect(host.nowMs() - sentAtMs).toBeGreaterThanOrEqual(20_000);
  });

  test("a machine that is back answers what it does not know with a reset", async () => {
    const { network, host, client, web } = await pair();
    network.hostLost("db");
    await client.write(bytes("anybody?"));
    await host.pause(1_000);
    network.hostBack("db");

    expect(await codeOf(client.read())).toBe("ECONNRESET");
    expect(await codeOf(web.connect({ host: "db", port: 5432 }))).toBe("ECONNREFUSED");
  });

  test("who speaks only after the machine is back gets the reset then", async () => {
    const { network, client } = await pair();
    network.hostLost("db");
    network.hostBack("db");
    expect(await codeOf(client.read({ timeoutMs: 1_000 }))).toBe("ETIMEDOUT");

    await client.write(bytes("hello?"));
    expect(await codeOf(client.read())).toBe("ECONNRESET");
  });

  test("who waits for room notices that the machine has lost power", async () => {
    const { network, host, client } = await pair({ silenceMaxMs: 20_000 });
    await client.write(new Uint8Array(bufferMaxBytesDefault));
    await host.pause(100);
    network.hostLost("db");

    expect(await codeOf(client.write(bytes("more")))).toBe("ETIMEDOUT");
  });

  test("who waits for room gets a reset when the machine is back", async () => {
    const { network, host, client } = await pair();
    await client.write(new Uint8Array(bufferMaxBytesDefault));
    await host.pause(100);
    network.hostLost("db");
    const written = codeOf(client.write(bytes("more")));
    network.hostBack("db");

    expect(await written).toBe("ECONNRESET");
  });

  test("an attempt of a killed OS process reaches nobody", async () => {
    const { host, network, web, client, server, listener } = await pair();
    const accepted = listener.accept();
    void web.connect({ host: "db", port: 5432 });
    network.ownerKilled("web");

    expect(network.socketsOpen("web")).toBe(0);
    expect(await codeOf(server.read())).toBe("ECONNRESET");
    expect(await codeOf(client.read())).toBe("x-closed");
    await host.pause(100);
    await listener.close();
    expect(await accepted).toBeNull();
  });
});

/** What a random sender does. */
const sizes = fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 20 });
const disturbances = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 40 }),
    what: fc.constantFrom("reset", "blackhole", "slow-network", "net-down", "killed", "lost", "back", "close"),
  }),
  { maxLength: 3 },
);

test("bytes arrive in order and once, or the connection ends with an error", async () => {
  const endings = { end: 0, failed: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      sizes,
      disturbances,
      fc.integer({ min: 1, max: 5_000 }),
      async (seed, sizes, plan, bufferMaxBytes) => {
        const host = new VirtualHost(new SeededChoices(seed));
        const network = new SimNetwork(host, { silenceMaxMs: 60_000 });
        const listener = await network.on("db").listen({ host: "db", port: 5432 });
        const client = await network.on("web").connect({ host: "db", port: 5432 }, { bufferMaxBytes });
        const server = (await listener.accept())!;
        const total = sizes.reduce((sum, size) => sum + size, 0);
        const written = Uint8Array.from({ length: total }, (_, at) => Math.imul(at, 0x9e37_79b1) >>> 24);
        const got: number[] = [];
        let end: unknown = "none";

        const disturb = async (): Promise<void> => {
          for (const { afterMs, what } of plan) {
            await host.pause(afterMs);
            if (what === "killed") network.ownerKilled("web");
            else if (what === "lost") network.hostLost("web");
            else if (what === "back") network.hostBack("web");
            else if (what === "close") client.close();
            else network.strike(what);
          }
        };
        const send = async (): Promise<void> => {
          let at = 0;
          for (const size of sizes) await client.write(written.subarray(at, (at += size)));
          await client.end();
        };
        const receive = async (): Promise<void> => {
          for (;;) {
            const chunk = await server.read({ timeoutMs: 120_000 });
            if (chunk === null) return;
            got.push(...chunk);
          }
        };
        // A killed sender is never resumed, so nobody waits for it.
        const sent = send().then(
          () => true,
          () => false,
        );
        await Promise.all([
          disturb(),
          receive().then(
            () => (end = "end"),
            (error: unknown) => (end = (error as NetworkError).code),
          ),
        ]);

        expect(got).toEqual([...written.subarray(0, got.length)]);
        // Who is killed or closes may end a stream in the middle without an error: that is TCP.
        const mayBeCut = plan.some(({ what }) => what === "killed" || what === "close");
        expect(["end", "ECONNRESET", "ETIMEDOUT"]).toContain(end);
        expect(end !== "end" || mayBeCut || got.length === total).toBe(true);
        expect(plan.length > 0 || (end === "end" && (await sent))).toBe(true);
        endings[end === "end" ? "end" : "failed"] += 1;
      },
    ),
    { numRuns: 300 },
  );

  // Both were seen, so the property is not empty.
  expect(endings.end).toBeGreaterThan(10);
  expect(endings.failed).toBeGreaterThan(10);
});

test("a run is the same for the same seed", async () => {
  const traceOf = async (seed: number): Promise<string> => {
    const { host, client, server } = await pair({}, new VirtualHost(new SeededChoices(seed)));
    const lines: string[] = [];
    const receive = async (): Promise<void> => {
      for (let chunk = await server.read(); chunk !== null; chunk = await server.read())
        lines.push(`${host.nowMs()} ${chunk.byteLength}`);
    };
    const send = async (): Promise<void> => {
      for (let size = 1; size < 2_000; size += 97) await client.write(new Uint8Array(size));
      await client.end();
    };
    await Promise.all([receive(), send()]);
    return lines.join("\n");
  };

  expect(await traceOf(5)).toBe(await traceOf(5));
  expect(await traceOf(5)).not.toBe(await traceOf(6));
});
