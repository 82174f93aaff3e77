/**
 * The carriers of colos beside what Node offers for the same: a worker's `postMessage`, and the IPC of `fork`.
 *
 *   node bench/carriers.mjs thread_throughput colos 100000 3
 *   node bench/carriers.mjs thread_throughput peer 100000 3
 *
 * runs one benchmark on one side with so many operations, once to warm up and so many times measured, and prints a JSON
 * line. Smaller is better. Both sides send the same message of about 100 bytes, one call for each; both let others have
 * their turn after each `messagesPerTurn`.
 *
 * `_throughput` sends there and stops the clock when the other side has all; `_throughput_back` is the other way;
 * `_round_trip` has one message under way at a time; `_start` is from nothing to the first answer.
 *
 * @module
 */

import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { createSystem, program } from "../dist/index.js";
import { flood, trips } from "./carriers-message.mjs";

const peerFile = new URL("./carriers-peer.mjs", import.meta.url);

/** The other side as a peer of colos has it: `send`, and who listens. */
const peers = {
  thread() {
    const worker = new Worker(peerFile);
    return {
      send: (message) => worker.postMessage(message),
      listen: (listener) => worker.on("message", listener),
      end: () => worker.terminate(),
    };
  },
  os_process() {
    const child = fork(fileURLToPath(peerFile));
    return {
      send: (message) => child.send(message),
      listen: (listener) => child.on("message", listener),
      end: () => new Promise((resolve) => child.once("exit", resolve) && child.kill("SIGKILL")),
    };
  },
};

/** Node's own way. */
async function peer(carrier, use) {
  const other = peers[carrier]();
  let waitingCount = 0;
  let wanted = { count: Infinity, resolve: () => {} };
  const settle = () => {
    if (waitingCount < wanted.count) return;
    waitingCount -= wanted.count;
    wanted.count = Infinity;
    wanted.resolve();
  };
  const counting = () => {
    waitingCount += 1;
    settle();
  };
  let listener = counting;
  other.listen((message) => listener(message));
  const samples = await use({
    /** Settles when `count` messages have come. */
    take: (count) =>
      new Promise((resolve) => {
        wanted = { count, resolve };
        settle();
      }),
    ask: (body) => other.send(body),
    send: (count) => flood(count, other.send, () => new Promise((resolve) => setImmediate(resolve))),
    trips: (count) =>
      new Promise((resolve) => {
        const next = trips(count, other.send, () => resolve((listener = counting)));
        listener = next;
        next();
      }),
  });
  await other.end();
  return samples;
}

/** The same with colos. */
async function colos(carrier, use) {
  const { kernel } = createSystem();
  const self = kernel.attach();
  const options = {
    carrier: carrier.replace("_", "-"),
    args: [self.pid],
    link: false,
    ...(process.env.WIN ? { channel: { windowBytes: Number(process.env.WIN) } } : {}),
  };
  const pid = await self.start(program("./carriers-program.mjs", import.meta.url), options);
  const samples = await use({
    take: async (count) => {
      for (let taken = 0; taken < count; taken += 1) await self.receive();
    },
    ask: (body) => void self.send(pid, body),
    send: (count) =>
      flood(
        count,
        (message) => self.send(pid, message),
        () => self.yield(),
      ),
    trips: async (count) => {
      for (let index = 0; index < count; index += 1) {
        self.send(pid, { trip: index });
        await self.receive();
      }
    },
  });
  const ref = self.monitor(pid);
  self.exit(pid, "kill");
  await self.receive((message) => message.ref === ref);
  return samples;
}

/** One sample of each kind of benchmark, in microseconds an operation. */
const measures = {
  throughput: (other, count) =>
    timed(count, async () => {
      other.ask({ expect: count });
      await other.send(count);
      await other.take(1);
    }),
  throughput_back: (other, count) =>
    timed(count, async () => {
      other.ask({ flood: count });
      await other.take(count);
    }),
  round_trip: (other, count) => timed(count, () => other.trips(count)),
};

/** CPU time of this OS process (both sides of a thread), in microseconds an operation; beside the wall's. */
const cpuSamples = [];

async function timed(count, work) {
  const start = process.hrtime.bigint();
  const cpuStart = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(cpuStart);
  cpuSamples.push((user + system) / count);
  return Number(process.hrtime.bigint() - start) / 1000 / count;
}

const sides = { peer, colos };

async function main(name, side, operations, repetitions) {
  const carrier = name.startsWith("thread") ? "thread" : "os_process";
  const kind = name.slice(carrier.length + 1);
  const samples = kind === "start" ? [] : await sides[side](carrier, (other) => sample(other, kind));
  if (kind === "start") {
    for (let index = 0; index <= repetitions; index++) {
      samples.push(await timed(1000, () => sides[side](carrier, (other) => other.trips(1))));
    }
    samples.shift();
  }
  async function sample(other) {
    await measures[kind](other, operations);
    const taken = [];
    for (let index = 0; index < repetitions; index++) taken.push(await measures[kind](other, operations));
    return taken;
  }
  const unit = kind === "start" ? "ms" : "us/op";
  process.stdout.write(`${JSON.stringify({ name, unit, samples, cpuSamples: cpuSamples.slice(1), operations })}\n`);
  process.exit(0);
}

await main(process.argv[2], process.argv[3], Number(process.argv[4]), Number(process.argv[5]));
