/**
 * Programs under a watchdog; the argument says which. Prints each block as a line of JSON, and ends after the one that it is about.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import process from "node:process";
import { createSystem, program } from "colos";

const blockedMs = 50;
const endlessMs = 300;

/** A system under a watchdog that watches. The program lives until a block by this function was told. */
async function start(culprit, whenTold = () => {}) {
  const alive = setInterval(() => {}, 1000);
  const { kernel, watchdog } = createSystem({
    watchdog: {
      blockedMs,
      endlessMs,
      onBlocked(block) {
        process.stdout.write(`${JSON.stringify(block)}\n`);
        if (block.by?.functionName !== culprit || block.blockedMs < 100) return;
        clearInterval(alive);
        whenTold();
      },
    },
  });
  await watchdog.started;
  return { kernel, watchdog };
}

function busyLoop(durationMs) {
  const untilMs = performance.now() + durationMs;
  while (performance.now() < untilMs);
}

const programs = {
  /** A process of a kernel computes for too long. */
  async busy() {
    const { kernel } = await start("busyLoop");
    const body = async function culprit(self) {
      await self.yield();
      busyLoop(2000);
    };
    kernel.spawn(body, { name: "guilty" });
  },
  /** A program on a thread blocks that, while everything else goes on. */
  async thread() {
    const { kernel } = await start("blockForAWhile", () => kernel.exit(pid, pid, "kill"));
    const pid = kernel.spawn(program("./blocking.ts", import.meta.url), { carrier: "thread" });
  },
  /** A thread that never comes back, until it is killed on SIGUSR2. */
  async killed() {
    const { kernel } = await start("", process.exit);
    const self = kernel.attach();
    const pid = self.spawn(program("./busy-loop.ts", import.meta.url), { carrier: "thread", args: [self.pid] });
    process.on("SIGUSR2", () => kernel.exit(pid, pid, "kill"));
  },
  /** One that waits in native code. */
  async native() {
    const { kernel } = await start("waiter");
    kernel.spawn(async function waiter(self) {
      await self.yield();
      execFileSync("sleep", ["0.3"]);
    });
  },
  /** One that ends the OS process in the middle of a block. */
  async exit() {
    await start();
    execFileSync("sleep", ["0.3"]);
    process.exit(3);
  },
  /** Nothing to do. */
  idle() {
    createSystem({ watchdog: true });
  },
  /** Stands still together with its watchdog, and blocks when it goes on. */
  async stopped() {
    await start("busyLoop");
    process.on("SIGUSR2", () => busyLoop(6 * blockedMs));
    process.stdout.write(`${process.pid}\n`);
  },
  async delay() {
    const { watchdog } = await start();
    const before = watchdog.delay();
    busyLoop(3 * blockedMs);
    setTimeout(() => {
      const after = watchdog.delay();
      watchdog.resetDelay();
      process.stdout.write(`${JSON.stringify([before, after, watchdog.delay()])}\n`);
      watchdog.close();
      process.exit();
    }, blockedMs);
  },
};

await programs[process.argv[2]]();
