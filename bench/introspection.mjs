/**
 * How long it takes to look at a hundred thousand processes, and how long the event loop stands still meanwhile.
 *
 *   node bench/introspection.mjs [processes] [busy processes]
 *
 * Each kind of look is taken ten times; the first, which compiles, is told too. A stall is the longest time between two
 * turns of the event loop while the look is taken. With busy processes, that is what they do in one turn as well.
 *
 * @module
 */
import { createSystem, listProcesses, top } from "../dist/index.js";

const [processesCount = 100_000, busyCount = 0] = process.argv.slice(2).map(Number);
const rounds = 10;
const self = createSystem().kernel.attach();

async function idle(own) {
  await own.receive((message) => message === "stop");
}

async function busy(own) {
  for (;;) {
    own.send(own.pid, "again");
    await own.receive();
  }
}

let last;
for (let index = 0; index < processesCount; index += 1) last = self.spawn(idle);
for (let sent = 0; sent < 50; sent += 1) self.send(last, "waits");
for (let index = 0; index < busyCount; index += 1) self.spawn(busy);
await self.sleep(2000);

let worstMs = 0;
let lastTurnMs = performance.now();
const turn = () => {
  const nowMs = performance.now();
  worstMs = Math.max(worstMs, nowMs - lastTurnMs);
  lastTurnMs = nowMs;
  setImmediate(turn);
};
turn();

async function measure(name, look) {
  const durations = [];
  const stalls = [];
  for (let round = 0; round < rounds; round += 1) {
    await self.sleep(20);
    worstMs = 0;
    const startMs = performance.now();
    await look();
    durations.push(performance.now() - startMs);
    stalls.push(worstMs);
  }
  const figures = (values) => {
    const [first, ...others] = values.map((value) => Number(value.toFixed(1)));
    const sorted = others.toSorted((one, other) => one - other);
    return { first, best: sorted[0], median: sorted[Math.floor(sorted.length / 2)], worst: sorted.at(-1) };
  };
  process.stdout.write(
    `${JSON.stringify({ name, processesCount, busyCount, ms: figures(durations), stallMs: figures(stalls) })}\n`,
  );
}

await measure("nothing", () => self.sleep(20));
await measure("top 10 by memory", () => top(self, 10, "memory"));
await measure("top 10 by queue", () => top(self, 10, "queue"));
await measure("top 10 by messages, window of 100 ms", () => top(self, 10, "messages", { windowMs: 100 }));
await measure("top 10 by time, window of 100 ms", () => top(self, 10, "time", { windowMs: 100 }));
await measure("list of all", () => listProcesses(self, { processesMax: processesCount }));
process.exit(0);
