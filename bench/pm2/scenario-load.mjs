/**
 * Scenarios under load: a service that floods its log, and a reload while clients are being served.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createGunzip } from "node:zlib";
import { median, memoryOf, pause, quantile, residentOf, sum, until } from "./figures.mjs";
import { freePorts, pidsOf, script, startAll } from "./services.mjs";

const lineNumber = /line (\d{12}) /g;
const sampleEveryMs = 100;

/** Which of the numbered lines are in the log files, each counted once. */
async function countLines(files, linesCount) {
  const seen = new Uint8Array(linesCount);
  let found = 0;
  let twice = 0;
  for (const file of files) {
    const packed = createReadStream(file, { highWaterMark: 1024 * 1024 });
    const text = file.endsWith(".gz") ? packed.pipe(createGunzip()) : packed;
    let rest = "";
    for await (const chunk of text) {
      const all = rest + chunk.toString("latin1");
      const end = all.lastIndexOf("\n") + 1;
      for (const [, digits] of all.slice(0, end).matchAll(lineNumber)) {
        if (seen[Number(digits)] === 1) twice += 1;
        else found += 1;
        seen[Number(digits)] = 1;
      }
      rest = all.slice(end);
    }
  }
  return { found, twice };
}

export const flood = {
  name: "flood",
  figures: [
    {
      key: "throughput",
      title: "1 GB of lines: throughput until the service has written them",
      unit: "MB/s",
      isMore: true,
    },
    { key: "recorded", title: "… until they are in the files", unit: "MB/s", isMore: true },
    { key: "lost", title: "… lines lost", unit: "" },
    { key: "rssBefore", title: "… manager before: RSS", unit: "MB" },
    { key: "rssPeak", title: "… manager meanwhile, most: RSS", unit: "MB", target: 2 },
    { key: "rssAfter", title: "… manager 10 s after: RSS", unit: "MB" },
  ],
  async run(System, { isQuick }) {
    const system = new System();
    try {
      const bytes = isQuick ? 50e6 : 1e9;
      const done = join(system.place.folder, "written");
      const service = script("writer", "writer.mjs", [bytes, done], { logsBytes: 8e9 });
      const startedAt = Date.now();
      const listed = await startAll(system, [service]);
      const pids = system.managerPids(pidsOf(listed));
      const resident = () => pids.reduce((all, pid) => all + residentOf(pid), 0) / 1e6;
      const rssBefore = resident();
      const taken = [];
      const sampler = setInterval(() => taken.push(resident()), sampleEveryMs);
      const times = await until("all is written", () => existsSync(done) && readJson(done), { timeoutMs: 600_000 });
      const complete = await untilComplete(system, times.linesCount);
      clearInterval(sampler);
      await pause(isQuick ? 2_000 : 10_000);
      return {
        values: {
          throughput: bytes / 1e3 / (times.endedAt - times.startedAt),
          recorded: bytes / 1e3 / (complete.at - times.startedAt),
          lost: times.linesCount - complete.found,
          rssBefore,
          rssPeak: Math.max(...taken, rssBefore),
          rssAfter: sum(pids.map(memoryOf)).rss / 1e6,
        },
        details: { startedAt, ...times, twice: complete.twice, samplesMB: taken.map(Math.round) },
      };
    } finally {
      await system.end();
    }
  },
};

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** The files are counted when they no longer grow; `at` is when they last did. */
async function untilComplete(system, linesCount) {
  const sizeOf = () => {
    return system
      .logFiles("writer")
      .reduce((all, file) => all + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
  };
  let size = sizeOf();
  let at = Date.now();
  const endMs = performance.now() + 300_000;
  for (let quietMs = 0; quietMs < 2_000 && performance.now() < endMs;) {
    await pause(50);
    const now = sizeOf();
    quietMs = now === size ? quietMs + 50 : 0;
    if (now !== size) at = Date.now();
    size = now;
  }
  return { at, ...(await countLines(system.logFiles("writer"), linesCount)) };
}

const connections = 20;

/** Clients without a pause while a service of two instances is reloaded `reloads` times. */
async function reloadUnderLoad(System, drain, { isQuick }) {
  const system = new System();
  let load;
  try {
    const [port] = await freePorts(1);
    const reloads = isQuick ? 1 : 3;
    await startAll(system, [script("web", "server.mjs", [port, drain], { port, instances: 2 })]);
    load = spawn(
      process.execPath,
      [join(import.meta.dirname, "services/load.mjs"), String(port), String(connections)],
      {
        stdio: ["pipe", "pipe", "inherit"],
      },
    );
    const answer = new Promise((resolve) => {
      let text = "";
      load.stdout.setEncoding("utf8").on("data", (each) => (text += each));
      load.on("close", () => resolve(text));
    });
    await pause(3_000);
    load.stdin.write("reload\n");
    const times = [];
    for (let reload = 0; reload < reloads; reload += 1) {
      const { code, ms, stderr } = await system.reload("web");
      if (code !== 0) throw new Error(`${system.name} reload ends with ${code}: ${stderr}`);
      times.push(ms);
      await pause(2_000);
    }
    load.stdin.end();
    const [calm, busy] = JSON.parse(await answer);
    const resets = (busy.failures.ECONNRESET ?? 0) + (busy.failures.EPIPE ?? 0);
    const failures = Object.values(busy.failures).reduce((all, each) => all + each, 0);
    return {
      resets,
      otherErrors: failures - resets,
      requests: busy.ms.length,
      p99Calm: quantile(calm.ms, 0.99),
      p99: quantile(busy.ms, 0.99),
      reloadMs: median(times),
      details: { calm: calm.failures, busy: busy.failures },
    };
  } finally {
    load?.kill("SIGKILL");
    await system.end();
  }
}

const drains = [
  ["idle", "server closes when told to"],
  ["polite", "server lets connections end"],
];

export const reload = {
  name: "reload",
  figures: drains.flatMap(([drain, title]) => [
    { key: `${drain}.resets`, title: `3 reloads, ${title}: resets`, unit: "" },
    { key: `${drain}.otherErrors`, title: "… other errors", unit: "" },
    { key: `${drain}.requests`, title: "… requests served", unit: "", isMore: true },
    { key: `${drain}.p99Calm`, title: "… p99 before", unit: "ms" },
    { key: `${drain}.p99`, title: "… p99 meanwhile", unit: "ms" },
    { key: `${drain}.reloadMs`, title: "… one reload", unit: "ms" },
  ]),
  async run(System, options) {
    const values = {};
    const details = {};
    for (const [drain] of drains) {
      const { details: failures, ...found } = await reloadUnderLoad(System, drain, options);
      for (const [key, value] of Object.entries(found)) values[`${drain}.${key}`] = value;
      details[drain] = failures;
    }
    return { values, details };
  },
};
