/**
 * The benchmarks of colos, as colos programs; the twins of `otp/bench_otp.erl`, function by function.
 *
 *   node bench/colos.mjs spawn 300000 3
 *
 * runs one benchmark with so many operations, once to warm up and so many times measured, and prints the JSON line
 * that the Erlang program prints. Smaller is better everywhere. `memory` needs `node --expose-gc`.
 *
 * @module
 */

import { call, Kernel, nodePlatform, startServer } from "../dist/index.js";
import { assertSkynet, heapBytes, main } from "./harness.mjs";

/** Runs `body` as a process of a new kernel and settles with what it returns. */
function run(body) {
  const kernel = new Kernel(nodePlatform());
  return new Promise((resolve, reject) => {
    kernel.spawn(async (self) => {
      await Promise.resolve(body(self, kernel)).then(resolve, reject);
    });
  });
}

const ringSize = 1000;

/** What stands before the clock starts. */
const prepare = {
  spawn: (_self, kernel) => kernel.processesCount,
  ping_pong: (self) => self.spawn(pong),
  ring: (self) => ring(self, ringSize),
  call: (self) => startServer(self, () => ({ handleCall: () => "pong" })),
};

const work = {
  /** Processes that end at once; all of them have ended when it returns. */
  spawn: async (self, count, before, kernel) => {
    for (let index = 0; index < count; index++) self.spawn(() => {});
    while (kernel.processesCount > before) await self.yield();
  },

  /** One at a time, each with its notice of the end. */
  spawn_monitor_down: async (self, count) => {
    for (let index = 0; index < count; index++) {
      const { ref } = self.spawnMonitor(() => {});
      await self.receive((message) => message.ref === ref);
    }
  },

  /** Round trips between two processes. */
  ping_pong: async (self, trips, pongPid) => {
    for (let index = 0; index < trips; index++) {
      self.send(pongPid, { from: self.pid });
      await self.receive();
    }
  },

  /** So many hops of one message in a ring of 1,000 processes. */
  ring: async (self, hops, first) => {
    self.send(first, { hops, parent: self.pid });
    await self.receive();
  },

  /** Calls of a server, one after the other. */
  call: async (self, count, server) => {
    for (let index = 0; index < count; index++) await call(self, server, "ping");
  },

  /** One process sends so many messages to another, which takes them all. */
  flood: async (self, count) => {
    const parent = self.pid;
    const sink = self.spawn(async (sinkSelf) => {
      for (let index = 0; index < count; index++) await sinkSelf.receive();
      sinkSelf.send(parent, "done");
    });
    for (let index = 0; index < count; index++) self.send(sink, index);
    await self.receive();
  },

  /** A tree of processes, ten children each, whose leaves send their numbers up to be added. */
  skynet: async (self, leaves) => {
    const parent = self.pid;
    self.spawn((child) => skynet(child, parent, 0, leaves));
    assertSkynet(await self.receive(), leaves);
  },
};

async function pong(self) {
  for (;;) {
    const { from } = await self.receive();
    self.send(from, "pong");
  }
}

/** A ring of processes; gives its first. */
function ring(self, size) {
  const first = self.spawn(async (member) => hop(member, await member.receive()));
  let next = first;
  for (let index = 1; index < size; index++) {
    const successor = next;
    next = self.spawn((member) => hop(member, successor));
  }
  self.send(first, next);
  return first;
}

async function hop(self, next) {
  for (;;) {
    const message = await self.receive();
    if (message.hops === 0) self.send(message.parent, "done");
    else self.send(next, { hops: message.hops - 1, parent: message.parent });
  }
}

async function skynet(self, parent, number, size) {
  if (size === 1) return void self.send(parent, number);
  const part = size / 10;
  const pid = self.pid;
  for (let index = 0; index < 10; index++) {
    self.spawn((child) => skynet(child, pid, number + index * part, part));
  }
  let sum = 0;
  for (let index = 0; index < 10; index++) sum += await self.receive();
  self.send(parent, sum);
}

/** Bytes of one idle process that waits in receive. */
async function memory(self, kernel, count) {
  const before = heapBytes();
  let last;
  for (let index = 0; index < count; index++) last = self.spawn(idle);
  while (kernel.info(last).status !== "waiting") await self.yield();
  const bytes = (heapBytes() - before) / count;
  if (kernel.processesCount < count) throw new Error("the processes do not live");
  return bytes;
}

async function idle(self) {
  await self.receive();
}

/** One sample, taken in a kernel of its own. */
function measure(name, operations) {
  return run(async (self, kernel) => {
    if (name === "memory") return memory(self, kernel, operations);
    const prepared = await prepare[name]?.(self, kernel);
    const start = process.hrtime.bigint();
    await work[name](self, operations, prepared, kernel);
    return Number(process.hrtime.bigint() - start) / 1000 / operations;
  });
}

await main(
  Object.fromEntries([...Object.keys(work), "memory"].map((name) => [name, (operations) => measure(name, operations)])),
);
