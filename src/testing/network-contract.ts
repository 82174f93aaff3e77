/**
 * Network contract: one suite for all networks. What a case states holds on each of them, or the network's test names the case
 * under `skip` with a sentence that says why not.
 *
 * It knows no test framework: `test` is passed in (vitest's and node:test's both fit). Each case gets a network of its own and
 * closes what it opened. Nothing here waits for time to pass.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  addressText,
  bufferMaxBytesDefault,
  NetworkError,
  type Address,
  type Connection,
  type ConnectOptions,
  type HandleOwner,
  type Listener,
  type ListenOptions,
  type Network,
  type NetworkErrorCode,
} from "../base/network.ts";
import { declareCases, type ContractSuite } from "./contract.ts";

/** Bytes in the cases about order. */
export const streamBytes: number = 1024 * 1024;

/** Two places that can reach each other, for one case. */
export interface NetworkSystem {
  /** Where listeners are. */
  readonly server: Network;
  /** Where connections are opened; may be the same. */
  readonly client: Network;
  /** Called when the case is over and its connections are closed. */
  close?(): void | PromiseLike<void>;
}

/** What differs between networks. */
export interface NetworkFixtures {
  /** What to listen on. */
  readonly listenHost: string;
  /** What the client calls it: a name. */
  readonly name: string;
  /** One of the addresses of `name`. */
  readonly ip: string;
  /** Names of nobody. */
  readonly unknownName: string;
  /** A name that can be called and never answers, or whose resolving never ends. */
  readonly silentName: string;
  /**
   * How many bytes more than `bufferMaxBytes` a writer may be ahead of a reader that stands still: the buffers of the host.
   */
  readonly hostBufferMaxBytes: number;
}

export interface NetworkSuite extends ContractSuite {
  system(): NetworkSystem;
  readonly fixtures: NetworkFixtures;
}

/** Declares all cases. @throws Error when `skip` names a case that there is not. */
export function testNetwork(suite: NetworkSuite): void {
  declareCases("network", suite, cases, () => {
    const system = suite.system();
    return { scene: new Scene(system, suite.fixtures), system };
  });
}

type Case = (scene: Scene) => Promise<void>;

/** Both ends of one connection. */
interface Pair {
  readonly client: Connection;
  readonly server: Connection;
}

class Scene {
  readonly fixtures: NetworkFixtures;
  readonly system: NetworkSystem;
  readonly #open: { close(): void | Promise<void> }[] = [];

  constructor(system: NetworkSystem, fixtures: NetworkFixtures) {
    this.system = system;
    this.fixtures = fixtures;
  }

  async listen(options?: ListenOptions, port = 0): Promise<Listener> {
    return this.keep(await this.system.server.listen({ host: this.fixtures.listenHost, port }, options));
  }

  async connect(to: { readonly port: number }, options?: ConnectOptions): Promise<Connection> {
    return this.keep(await this.system.client.connect({ host: this.fixtures.name, port: to.port }, options));
  }

  async pair(options?: ListenOptions & ConnectOptions): Promise<Pair> {
    const listener = await this.listen(options);
    const [client, server] = await Promise.all([this.connect(listener, options), this.accept(listener)]);
    return { client, server };
  }

  async accept(listener: Listener): Promise<Connection> {
    const connection = await listener.accept();
    assert.notEqual(connection, null, "the listener is closed");
    return this.keep(connection!);
  }

  keep<T extends { close(): void | Promise<void> }>(handle: T): T {
    this.#open.push(handle);
    return handle;
  }

  async end(): Promise<void> {
    for (const handle of this.#open.toReversed()) await handle.close();
  }
}

// --- reading and writing ---

/** Bytes that differ at each place, so that a loss, a repetition or another order shows. */
function pattern(lengthBytes: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  for (let at = 0; at < lengthBytes; at += 1) bytes[at] = Math.imul(at + seed, 0x9e37_79b1) >>> 24;
  return bytes;
}

/** Reads to the end. */
async function readAll(connection: Connection): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = await connection.read();
    if (chunk === null) return Buffer.concat(chunks);
    assert.ok(chunk.byteLength > 0, "a chunk is empty");
    chunks.push(chunk);
  }
}

function assertSame(got: Uint8Array, want: Uint8Array): void {
  assert.equal(got.byteLength, want.byteLength, "other bytes have arrived than were written");
  assert.ok(Buffer.from(got).equals(want), "other bytes have arrived than were written");
}

/** Writes in pieces of odd sizes, then ends. */
async function writeAll(connection: Connection, bytes: Uint8Array): Promise<void> {
  for (let at = 0, size = 1; at < bytes.byteLength; at += size, size = (size * 7 + 13) % 40_000) {
    await connection.write(bytes.subarray(at, at + size));
  }
  await connection.end();
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "no error",
    (error: unknown) => (error as NetworkError).code,
  );
}

/** What a process is to its handles. */
class Owner implements HandleOwner {
  readonly handles = new Set<{ close(): void | PromiseLike<void> }>();

  own(handle: { close(): void | PromiseLike<void> }): () => void {
    this.handles.add(handle);
    return () => this.handles.delete(handle);
  }

  end(): void {
    for (const handle of [...this.handles].toReversed()) void handle.close();
  }
}

async function fails(
  promise: Promise<unknown>,
  codes: NetworkErrorCode | readonly NetworkErrorCode[],
): Promise<NetworkError> {
  const error = await promise.then(
    () => assert.fail(`it should have failed with ${String(codes)}`),
    (error: unknown) => error,
  );
  assert.ok(error instanceof NetworkError, `no NetworkError: ${String(error)}`);
  assert.ok([codes].flat().includes(error.code), `${error.code} (${error.message}) instead of ${String(codes)}`);
  return error;
}

const cases: Readonly<Record<string, Case>> = {
  "bytes arrive as they were written, in both directions at once": async (scene) => {
    const { client, server } = await scene.pair();
    const there = pattern(streamBytes, 1);
    const back = pattern(streamBytes, 2);

    const [atServer, atClient] = await Promise.all([
      readAll(server),
      readAll(client),
      writeAll(client, there),
      writeAll(server, back),
    ]);

    assertSame(atServer, there);
    assertSame(atClient, back);
  },

  "each connection has its own bytes": async (scene) => {
    const listener = await scene.listen();
    const clients = await Promise.all(Array.from({ length: 8 }, () => scene.connect(listener)));
    for (const [index, client] of clients.entries()) await writeAll(client, pattern(1_000 + index, index));

    const got = new Map<number, Uint8Array>();
    for (const _ of clients) {
      const server = await scene.accept(listener);
      got.set(server.remote.port, await readAll(server));
    }

    for (const [index, client] of clients.entries())
      assertSame(got.get(client.local.port)!, pattern(1_000 + index, index));
  },

  "both ends know both addresses": async (scene) => {
    const listener = await scene.listen();
    const [client, server] = await Promise.all([scene.connect(listener), scene.accept(listener)]);

    assert.deepEqual(client.remote, { host: scene.fixtures.ip, port: listener.port });
    assert.deepEqual(server.local, client.remote);
    assert.deepEqual(server.remote, client.local);
  },

  "an end that has ended still reads": async (scene) => {
    const { client, server } = await scene.pair();

    await client.write(pattern(10));
    await client.end();
    assertSame(await readAll(server), pattern(10));
    const [back] = await Promise.all([readAll(client), writeAll(server, pattern(100_000, 3))]);

    assertSame(back, pattern(100_000, 3));
  },

  "the end is read again and again": async (scene) => {
    const { client, server } = await scene.pair();
    await client.end();

    for (let count = 0; count < 3; count += 1) assert.equal(await server.read(), null);
  },

  "ending twice is ending once": async (scene) => {
    const { client, server } = await scene.pair();
    await Promise.all([client.end(), client.end()]);
    await client.end();

    assert.equal(await server.read(), null);
  },

  "nothing is written after the end": async (scene) => {
    const { client } = await scene.pair();
    await client.end();

    await fails(client.write(pattern(1)), "EPIPE");
  },

  "an empty write is nothing": async (scene) => {
    const { client, server } = await scene.pair();
    await client.write(new Uint8Array(0));
    await client.write(pattern(1));
    await client.end();

    assertSame(await readAll(server), pattern(1));
  },

  "a write waits for a reader that is slower": async (scene) => {
    const bufferMaxBytes = bufferMaxBytesDefault;
    const aheadMaxBytes = bufferMaxBytes + scene.fixtures.hostBufferMaxBytes;
    const { client, server } = await scene.pair({ bufferMaxBytes });
    const totalBytes = 2 * aheadMaxBytes + 1;
    let readSoFarBytes = 0;
    let readAtReturnBytes = -1;

    const written = client.write(pattern(totalBytes)).then(() => {
      readAtReturnBytes = readSoFarBytes;
    });
    while (readSoFarBytes < totalBytes) readSoFarBytes += (await server.read())!.byteLength;
    await written;

    assert.ok(
      readAtReturnBytes >= totalBytes - aheadMaxBytes,
      `the write of ${totalBytes} bytes returned when ${readAtReturnBytes} were read`,
    );
  },

  "while a write waits for room another is refused": async (scene) => {
    const { client, server } = await scene.pair();
    const bytes = pattern(2 * (bufferMaxBytesDefault + scene.fixtures.hostBufferMaxBytes));
    const written = client.write(bytes);

    await fails(client.write(pattern(1)), "x-busy");
    const [got] = await Promise.all([readAll(server), written.then(() => client.end())]);

    assertSame(got, bytes);
  },

  "an end waits for the write before it": async (scene) => {
    const { client, server } = await scene.pair();
    const bytes = pattern(2 * (bufferMaxBytesDefault + scene.fixtures.hostBufferMaxBytes));

    const [got] = await Promise.all([readAll(server), client.write(bytes), client.end()]);

    assertSame(got, bytes);
  },

  "while a read waits another is refused": async (scene) => {
    const { client, server } = await scene.pair();
    const first = server.read();

    await fails(server.read(), "x-busy");
    await client.write(pattern(5));

    const got = (await first)!;
    assertSame(got, pattern(5).subarray(0, got.byteLength));
  },

  "a read that waited long enough leaves the connection as it was": async (scene) => {
    const { client, server } = await scene.pair();
    await fails(server.read({ timeoutMs: 1 }), "ETIMEDOUT");

    await writeAll(client, pattern(50));

    assertSame(await readAll(server), pattern(50));
  },

  "a reset is seen by the other end, also by one that waits": async (scene) => {
    const { client, server } = await scene.pair();
    const waiting = server.read();
    client.reset();

    const error = await fails(waiting, "ECONNRESET");
    await fails(server.read(), "ECONNRESET");
    await fails(server.write(pattern(1)), "ECONNRESET");
    assert.equal(error.address, addressText(server.remote));
  },

  "who closes or resets can neither read nor write": async (scene) => {
    for (const how of ["close", "reset"] as const) {
      const { client } = await scene.pair();
      const waiting = client.read();
      client[how]();
      client[how]();

      await fails(waiting, "x-closed");
      await fails(client.read(), "x-closed");
      await fails(client.write(pattern(1)), "x-closed");
      await fails(client.end(), "x-closed");
    }
  },

  "an orderly close is the end for the other": async (scene) => {
    const { client, server } = await scene.pair();
    await client.write(pattern(1_000));
    await client.end();
    client.close();

    assertSame(await readAll(server), pattern(1_000));
  },

  "who writes to an end that is closed learns of it": async (scene) => {
    const { client, server } = await scene.pair();
    server.close();

    await fails(client.write(pattern(4 * (bufferMaxBytesDefault + scene.fixtures.hostBufferMaxBytes))), "ECONNRESET");
  },

  "where nobody listens the connection is refused": async (scene) => {
    const listener = await scene.listen();
    const { port } = listener;
    await listener.close();

    const error = await fails(scene.connect({ port }), "ECONNREFUSED");

    assert.equal(error.address, `${scene.fixtures.name}:${port}`);
    assert.match(error.message, new RegExp(`nothing listens on .*:${port}`));
  },

  "a port is taken once": async (scene) => {
    const { port } = await scene.listen();

    const error = await fails(scene.listen({}, port), "EADDRINUSE");

    assert.equal(error.address, addressText({ host: scene.fixtures.listenHost, port }));
  },

  "a port is free again once its listener is closed": async (scene) => {
    const first = await scene.listen();
    await first.close();
    const second = await scene.listen({}, first.port);

    const [, server] = await Promise.all([scene.connect(second), scene.accept(second)]);

    assert.equal(server.local.port, first.port);
  },

  "listening on port 0 gives ports that differ": async (scene) => {
    const [one, other] = [await scene.listen(), await scene.listen()];

    assert.ok(one.port > 0);
    assert.notEqual(one.port, other.port);
    assert.equal(one.address.port, one.port);
  },

  "a connection outlives its listener": async (scene) => {
    const listener = await scene.listen();
    const [client, server] = await Promise.all([scene.connect(listener), scene.accept(listener)]);
    await listener.close();
    await writeAll(client, pattern(100));

    assertSame(await readAll(server), pattern(100));
  },

  "who waits for a connection gets null when the listener is closed": async (scene) => {
    const listener = await scene.listen();
    const waiting = [listener.accept(), listener.accept()];
    await listener.close();
    await listener.close();

    assert.deepEqual(await Promise.all(waiting), [null, null]);
    assert.equal(await listener.accept(), null);
  },

  "connections wait until they are accepted, with what was written": async (scene) => {
    const listener = await scene.listen();
    const client = await scene.connect(listener);
    await writeAll(client, pattern(1_000));

    const server = await scene.accept(listener);

    assertSame(await readAll(server), pattern(1_000));
  },

  "connections that nobody accepted are reset when the listener is closed": async (scene) => {
    const listener = await scene.listen();
    const client = await scene.connect(listener);
    await listener.close();

    await fails(client.read(), "ECONNRESET");
  },

  "one connection more than may wait is not taken": async (scene) => {
    const listener = await scene.listen({ backlogMax: 2 });
    const two = [await scene.connect(listener), await scene.connect(listener)];
    // Whether the third notices at once or when it reads is the host's way.
    const third = scene.connect(listener, { timeoutMs: 5_000 }).then((connection) => connection.read());

    await fails(third, ["ECONNREFUSED", "ECONNRESET", "ETIMEDOUT"]);
    for (const client of two) await client.end();
    for (const _ of two) assert.equal(await (await scene.accept(listener)).read(), null);
  },

  "what is opened for an owner is closed with it": async (scene) => {
    const [server, client] = [new Owner(), new Owner()];
    const listener = await scene.listen({ owner: server });
    const [near, far] = await Promise.all([
      scene.connect(listener, { owner: client }),
      listener.accept({ owner: server }),
    ]);
    client.end();
    assert.equal(await far!.read(), null);
    assert.equal(await codeOf(near.read()), "x-closed");

    server.end();
    await fails(scene.connect(listener), "ECONNREFUSED");
    assert.equal(await listener.accept(), null);
  },

  "what an owner closes it does not own any more": async (scene) => {
    const owner = new Owner();
    const listener = await scene.listen({ owner });
    const [near, far] = await Promise.all([scene.connect(listener, { owner }), listener.accept({ owner })]);
    const waiting = listener.accept({ owner });
    assert.equal(owner.handles.size, 4);
    near.close();
    far!.reset();
    await listener.close();
    await waiting;
    await fails(scene.connect(listener, { owner }), "ECONNREFUSED");
    await fails(scene.system.server.listen({ host: scene.fixtures.unknownName, port: 0 }, { owner }), "ENOTFOUND");

    assert.equal(owner.handles.size, 0);
  },

  "an owner that ends while it waits leaves the connection to the next": async (scene) => {
    const owner = new Owner();
    const listener = await scene.listen();
    const gone = listener.accept({ owner });
    const next = scene.accept(listener);
    owner.end();
    const client = await scene.connect(listener);
    await writeAll(client, pattern(10));

    assert.equal(await gone, null);
    assertSame(await readAll(await next), pattern(10));
  },

  "an owner that ends while it opens gets nothing": async (scene) => {
    const owner = new Owner();
    const connecting = scene.system.client.connect({ host: scene.fixtures.silentName, port: 80 }, { owner });
    owner.end();
    await fails(connecting, "x-closed");

    const listening = scene.system.server.listen({ host: scene.fixtures.listenHost, port: 0 }, { owner });
    owner.end();
    await fails(listening, "x-closed");
  },

  "a name has addresses, and an address is its own": async (scene) => {
    const { name, ip } = scene.fixtures;

    assert.ok((await scene.system.client.resolve(name)).includes(ip));
    assert.deepEqual(await scene.system.client.resolve(ip), [ip]);
  },

  "an unknown name is told apart from silence": async (scene) => {
    const { unknownName } = scene.fixtures;

    const error = await fails(scene.system.client.resolve(unknownName), "ENOTFOUND");
    await fails(scene.system.client.connect({ host: unknownName, port: 80 }), "ENOTFOUND");
    await fails(scene.system.server.listen({ host: unknownName, port: 80 }), "ENOTFOUND");

    assert.equal(error.address, unknownName);
  },

  "connecting gives up after its time": async (scene) => {
    const { silentName } = scene.fixtures;

    const error = await fails(
      scene.system.client.connect({ host: silentName, port: 80 }, { timeoutMs: 20 }),
      "ETIMEDOUT",
    );

    assert.equal(error.address, `${silentName}:80`);
  },

  "what is no address or no limit is refused": async (scene) => {
    const { client, server } = scene.system;
    const host = scene.fixtures.ip;
    const bad = [
      client.connect({ host, port: 0 }),
      client.connect({ host, port: 65_536 }),
      client.connect({ host: "", port: 80 }),
      client.connect({ host, port: 80 }, { timeoutMs: Number.NaN }),
      client.connect({ host, port: 80 }, { bufferMaxBytes: 0 }),
      client.connect(undefined as unknown as Address),
      server.listen({ host, port: 1.5 }),
      server.listen({ host, port: 0 }, { backlogMax: -1 }),
    ];

    for (const promise of bad) await assert.rejects(promise, RangeError);
  },
};
