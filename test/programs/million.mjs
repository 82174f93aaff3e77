/**
 * Starts and ends a million processes, half of them with a monitor, a timer and an alias, and prints how many bytes of
 * heap each left behind. Needs `node --expose-gc`.
 *
 * @module
 */
import { Kernel, nodePlatform } from "colos";

const kernel = new Kernel(nodePlatform());
const perRound = 50_000;

/** Ends what waits from outside, and lets the others end by themselves. */
async function round() {
  await new Promise((resolve) => {
    const body = async (self) => {
      for (let index = 0; index < perRound; index += 1) {
        self.spawn(() => {});
        const { pid } = self.spawnMonitor(waiting);
        self.sendAfter(1e9, pid, "late");
      }
      await self.yield();
      for (const pid of kernel.processes()) if (pid !== self.pid) self.exit(pid, "kill");
      for (let index = 0; index < perRound; index += 1) await self.receive();
      resolve();
    };
    kernel.spawn(body, { mailbox: { messagesMax: perRound } });
  });
}

async function waiting(self) {
  self.sendAfter(1e9, self.pid, "late");
  self.alias();
  await self.receive();
}

function heapBytes() {
  globalThis.gc();
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

// Tables grow to the size that they need and stay there.
for (let count = 0; count < 10; count += 1) await round();
const leftBytes = [];
for (let count = 0, before = heapBytes(); count < 10; count += 1) {
  await round();
  const after = heapBytes();
  leftBytes.push(after - before);
  before = after;
}
leftBytes.sort((a, b) => a - b);
process.stdout.write(
  JSON.stringify({
    // The median, because a table may double its size in one of the rounds.
    leftBytesPerProcess: leftBytes[leftBytes.length / 2] / (2 * perRound),
    processesCount: kernel.processesCount,
    spawnedCount: 20 * perRound,
  }),
);
process.exit(0);
