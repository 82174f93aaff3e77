/**
 * Scenarios of a manager that has little to do: its memory, how long its list takes, how long a start takes.
 *
 * @module
 */
import { memoryOf, median, pause, run, sum, until } from "./figures.mjs";
import { commandLineOf } from "./place.mjs";
import { answering, listReady, pidsOf, servers, sleeps, startAll } from "./services.mjs";

const samples = 3;

/** Bytes of all OS processes of the manager, after `settleMs` of rest. */
async function managerMemory(system, servicePids, { settleMs }) {
  await pause(settleMs);
  const pids = system.managerPids(servicePids);
  const taken = [];
  for (let at = 0; at < samples; at += 1) {
    taken.push(pids.map((pid) => ({ pid, ...memoryOf(pid) })));
    await pause(500);
  }
  const totals = taken.map(sum);
  const of = (name) => median(totals.map((each) => each[name]));
  const byRole = new Map();
  for (const { pid, ...bytes } of taken.at(-1)) {
    const role = system.roleOf(pid);
    const each = byRole.get(role) ?? {
      role,
      count: 0,
      example: commandLineOf(pid).slice(0, 80),
      rss: 0,
      pss: 0,
      private: 0,
    };
    byRole.set(role, { ...each, ...sum([each, bytes]), count: each.count + 1 });
  }
  return { rss: of("rss"), pss: of("pss"), private: of("private"), processes: [...byRole.values()] };
}

async function memoryWith(System, services, options) {
  const system = new System();
  try {
    const listed = services.length === 0 ? (await system.start([]), []) : await startAll(system, services);
    const memory = await managerMemory(system, pidsOf(listed), options);
    return { ...memory, service: sum(pidsOf(listed).map(memoryOf)).rss };
  } finally {
    await system.end();
  }
}

export const memory = {
  name: "memory",
  figures: [0, 1, 50].flatMap((count) => [
    { key: `rss${count}`, title: `manager, ${count} services: RSS`, unit: "MB", target: 2 },
    { key: `pss${count}`, title: `manager, ${count} services: PSS`, unit: "MB" },
    { key: `private${count}`, title: `manager, ${count} services: private`, unit: "MB", target: 2 },
  ]),
  async run(System, options) {
    const sets = { 0: [], 1: await servers(1), 50: sleeps(options.isQuick ? 10 : 50) };
    const values = {};
    const processes = {};
    for (const [count, services] of Object.entries(sets)) {
      const found = await memoryWith(System, services, options);
      for (const name of ["rss", "pss", "private"]) values[name + count] = found[name] / 1e6;
      processes[count] = found.processes;
      if (count === "1") values.serviceRss = found.service / 1e6;
    }
    return { values, details: { processes } };
  },
};
memory.figures.push({ key: "serviceRss", title: "a web server under it: RSS", unit: "MB" });

export const list = {
  name: "list",
  figures: [
    { key: "people1", title: "list for people, 1 service", unit: "ms", target: 3 },
    { key: "json1", title: "list as JSON, 1 service", unit: "ms", target: 3 },
    { key: "people50", title: "list for people, 50 services", unit: "ms", target: 3 },
    { key: "json50", title: "list as JSON, 50 services", unit: "ms", target: 3 },
    { key: "node", title: "node -e 0, between them", unit: "ms" },
  ],
  async run(System, { isQuick }) {
    const rounds = isQuick ? 5 : 20;
    const times = { people1: [], json1: [], people50: [], json50: [], node: [] };
    for (const count of [1, isQuick ? 10 : 50]) {
      const system = new System();
      try {
        await startAll(system, sleeps(count));
        const suffix = count === 1 ? "1" : "50";
        const timed = async (words) => (await run(words, { env: system.env(), cwd: system.place.folder })).ms;
        for (let round = 0; round < rounds; round += 1) {
          times.node.push(await timed([process.execPath, "-e", "0"]));
          times[`people${suffix}`].push(await timed(system.words(system.listWords.people)));
          times[`json${suffix}`].push(await timed(system.words(system.listWords.json)));
        }
      } finally {
        await system.end();
      }
    }
    return { values: Object.fromEntries(Object.entries(times).map(([key, all]) => [key, median(all)])) };
  },
};

/** From the command to its end with all services ready; a daemon that has to be started is part of it. */
async function startTime(System, services, areReady) {
  const system = new System();
  try {
    const startedAt = performance.now();
    const started = system.start(services);
    const ready = areReady(system, started).then(() => performance.now() - startedAt);
    const [{ ms: commandMs }, readyMs] = await Promise.all([started, ready]);
    return { commandMs, readyMs };
  } finally {
    await system.end();
  }
}

export const start = {
  name: "start",
  figures: [
    { key: "sleeps", title: "start of daemon and 50 commands", unit: "ms" },
    { key: "sleepsLive", title: "… until 50 OS processes run", unit: "ms" },
    { key: "servers", title: "start of daemon and 10 web servers", unit: "ms" },
    { key: "serversReady", title: "… until each has answered", unit: "ms" },
  ],
  async run(System, { isQuick }) {
    const rounds = isQuick ? 1 : 5;
    const times = { sleeps: [], sleepsLive: [], servers: [], serversReady: [] };
    for (let round = 0; round < rounds; round += 1) {
      const commands = sleeps(isQuick ? 10 : 50);
      const ofCommands = await startTime(System, commands, (system) => sleepsRun(system, commands.length));
      const web = await servers(10);
      const ofServers = await startTime(System, web, (system, started) => allAnswer(system, started, web));
      times.sleeps.push(ofCommands.commandMs);
      times.sleepsLive.push(ofCommands.readyMs);
      times.servers.push(ofServers.commandMs);
      times.serversReady.push(ofServers.readyMs);
    }
    return { values: Object.fromEntries(Object.entries(times).map(([key, all]) => [key, median(all)])) };
  },
};

/** Looked for while the command is under way: neither manager's command ends at that moment. */
function sleepsRun(system, count) {
  const isSleep = (pid) => /^\S*\/sleep 1000000$/.test(commandLineOf(pid));
  return until("the commands run", () => system.place.processes().filter(isSleep).length >= count);
}

async function allAnswer(system, started, web) {
  // Before, the questions would take the CPU time that the servers start with.
  await started;
  await Promise.all(web.map(({ port }) => answering(port)));
  await listReady(system, web.length);
}
