/**
 * Fairness: does the host's event loop keep its turn while a thousand processes are busy?
 *
 *   node bench/fairness.mjs [seconds]
 *
 * For each kind of load prints how late a timer of 10 ms fires (of colos and of Node), how long an HTTP server in the same
 * heap takes to answer, how long a turn of the event loop takes, and how much the processes got done. Ends with 1 when a
 * timer of 10 ms took more than `timerMaxMs` in more than one of a hundred: on a machine that does other work, single
 * ones are late with no load at all (the row `none` shows it).
 *
 * @module
 */
import { createServer, get, Agent } from "node:http";
import { cast, Kernel, nodePlatform, startServer } from "../dist/index.js";

const processesCount = 1000;
const timerMs = 10;
const timerMaxMs = 20;
const measuredMs = 1000 * Number(process.argv[2] ?? 3);

/** Each starts its processes, which count what they do in `done`. */
const loads = {
  none: () => {},

  yield: (self, done) => {
    for (let index = 0; index < processesCount; index += 1) {
      self.spawn(async (busy) => {
        for (;;) {
          done.count += 1;
          await busy.yield();
        }
      });
    }
  },

  /** In pairs, each answering at once. */
  messages: (self, done) => {
    for (let index = 0; index < processesCount / 2; index += 1) {
      const echo = async (busy, first) => {
        let other = first ?? (await busy.receive());
        for (;;) {
          busy.send(other, busy.pid);
          other = await busy.receive();
          done.count += 1;
        }
      };
      const one = self.spawn(echo);
      self.spawn(echo, { args: [one] });
    }
  },

  /** Servers that cast to each other in a ring, each with several casts under way. */
  servers: async (self, done) => {
    const servers = [];
    for (let index = 0; index < processesCount; index += 1) {
      servers.push(
        await startServer(self, (server) => ({
          handleCast: () => {
            done.count += 1;
            cast(server, servers[(index + 1) % processesCount], "go on");
          },
        })),
      );
    }
    for (const server of servers) for (let count = 0; count < 10; count += 1) cast(self, server, "go on");
  },

  spawning: (self, done) => {
    const endless = (child) => {
      done.count += 1;
      child.spawn(endless);
    };
    for (let index = 0; index < processesCount; index += 1) self.spawn(endless);
  },
};

/** Runs one load in a kernel of its own and gives its figures. */
async function measure(name) {
  const kernel = new Kernel(nodePlatform());
  const self = kernel.attach();
  const done = { count: 0 };
  const server = createServer((_request, response) => response.end("here"));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  await loads[name](self, done);
  const startMs = performance.now();
  const until = startMs + measuredMs;
  const [timersMs, colosTimersMs, httpMs, turnsMs] = await Promise.all([
    repeat(until, () => new Promise((resolve) => setTimeout(resolve, timerMs))),
    repeat(until, async () => self.receive(() => false, { timeoutMs: timerMs })),
    repeat(until, () => ask(server.address().port)),
    repeat(until, () => new Promise((resolve) => setImmediate(resolve))),
  ]);
  for (const pid of kernel.processes()) kernel.exit(self.pid, pid, "kill");
  server.close();
  return { name, timersMs, colosTimersMs, httpMs, turnsMs, stepsPerSecond: done.count / (measuredMs / 1000) };
}

/** How long each `work` takes, in ms. */
async function repeat(untilMs, work) {
  const durations = [];
  for (let nowMs = performance.now(); nowMs < untilMs;) {
    await work();
    const endMs = performance.now();
    durations.push(endMs - nowMs);
    nowMs = endMs;
  }
  return durations.toSorted((a, b) => a - b);
}

const agent = new Agent({ keepAlive: true });

function ask(port) {
  return new Promise((resolve, reject) => {
    get({ port, host: "127.0.0.1", agent }, (response) => response.resume().on("end", resolve)).on("error", reject);
  });
}

function at(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

function figures(sorted) {
  return [0.5, 0.99, 1].map((share) => at(sorted, share).toFixed(1).padStart(6)).join(" ");
}

let isLate = false;
process.stdout.write(`median, 99 % and worst, in ms; timers of ${timerMs} ms\n`);
process.stdout.write(
  "load        timer of Node         timer of colos        HTTP                  turn                  steps/s\n",
);
for (const name of Object.keys(loads)) {
  const { timersMs, colosTimersMs, httpMs, turnsMs, stepsPerSecond } = await measure(name);
  const columns = [timersMs, colosTimersMs, httpMs, turnsMs].map((each) => figures(each).padEnd(22)).join("");
  process.stdout.write(`${name.padEnd(10)}${columns}${stepsPerSecond.toFixed(0)}\n`);
  if (name !== "none" && at(timersMs, 0.99) > timerMaxMs) isLate = true;
}
process.exit(isLate ? 1 : 0);
