/**
 * Scenarios in which something dies: a service, a service for good, the manager itself.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { median, pause, quantile, until } from "./figures.mjs";
import { isAlive } from "./place.mjs";
import { answering, pidsOf, script, servers, startAll } from "./services.mjs";

/** Between two kills, in milliseconds: what follows a restart in the background (PM2's log, a new standby) is not the next one's. */
const betweenKillsMs = 300;

/** SIGKILL of each of `count` web servers, one after the other, until the port answers with another pid. */
async function restartTimes(System, count, options) {
  const system = new System();
  try {
    const web = await servers(count, options);
    await startAll(system, web);
    if (options.standby) await system.standsBy?.(count);
    const times = [];
    for (const { port } of web) {
      await pause(betweenKillsMs);
      const before = await answering(port);
      const killedAt = performance.now();
      process.kill(before, "SIGKILL");
      await answering(port, (pid) => pid !== before);
      times.push(performance.now() - killedAt);
    }
    return times;
  } finally {
    await system.end();
  }
}

export const crash = {
  name: "crash",
  figures: [
    { key: "crash", title: "SIGKILL of a web server → it answers again, defaults", unit: "ms" },
    { key: "crashWorst", title: "… worst", unit: "ms" },
    { key: "crashAtOnce", title: "… without a delay before the restart", unit: "ms" },
    { key: "crashStandby", title: "… and with a standby, which PM2 has not", unit: "ms", target: 3 },
  ],
  async run(System, { isQuick }) {
    const count = isQuick ? 4 : 20;
    const times = await restartTimes(System, count, {});
    const atOnce = await restartTimes(System, count, { restartsAtOnce: true });
    const standby = await restartTimes(System, count, { restartsAtOnce: true, standby: true });
    const worst = quantile(times, 1);
    return {
      values: { crash: median(times), crashWorst: worst, crashAtOnce: median(atOnce), crashStandby: median(standby) },
    };
  },
};

const healthyMs = 20_000;

/** Healthy for a while, then always failing: the service itself counts its starts. */
export const loop = {
  name: "loop",
  figures: [
    { key: "restarts", title: "healthy 20 s, then failing: restarts in 25 s", unit: "" },
    { key: "state", title: "… what the list says then", unit: "" },
  ],
  async run(System, { isQuick }) {
    const system = new System();
    try {
      const file = join(system.place.folder, "starts");
      const failingMs = isQuick ? 5_000 : 25_000;
      await system.start([script("aging", "aging.mjs", [healthyMs, file])]);
      await until("the service runs", () => startsIn(file) > 0);
      await pause(healthyMs + failingMs);
      const restarts = startsIn(file) - 1;
      const [listed] = await system.list();
      return { values: { restarts, state: listed.state }, details: { listed } };
    } finally {
      await system.end();
    }
  },
};

function startsIn(file) {
  try {
    return readFileSync(file, "utf8").split("\n").length - 1;
  } catch {
    return 0;
  }
}

/** SIGKILL of the daemon; nobody types anything for a while, then someone asks for the list. */
export const death = {
  name: "death",
  figures: [
    { key: "alive", title: "kill -9 of the daemon: services that live 30 s later", unit: "of 5" },
    { key: "daemonBackMs", title: "… the daemon is back by itself after", unit: "ms" },
    { key: "listed", title: "… services that the next list shows", unit: "of 5" },
    { key: "same", title: "… of these with the same pid as before", unit: "of 5" },
  ],
  async run(System, { isQuick }) {
    const system = new System();
    try {
      const web = await servers(5);
      const before = pidsOf(await startAll(system, web));
      const daemon = system.daemonPid();
      process.kill(daemon, "SIGKILL");
      const killedAt = performance.now();
      const waitMs = isQuick ? 10_000 : 30_000;
      const daemonBackMs = await until(
        "the daemon is back",
        () => {
          const now = daemonPidOf(system);
          return now !== undefined && now !== daemon && performance.now() - killedAt;
        },
        { everyMs: 5, timeoutMs: waitMs },
      ).catch(() => "never");
      await pause(Math.max(0, waitMs - (performance.now() - killedAt)));
      const alive = before.filter(isAlive).length;
      const { stdout } = await system.command(system.listWords.people);
      const listed = await system.list();
      const same = pidsOf(listed).filter((pid) => before.includes(pid)).length;
      return { values: { alive, daemonBackMs, listed: listed.length, same }, details: { nextList: stdout } };
    } finally {
      await system.end();
    }
  },
};

function daemonPidOf(system) {
  try {
    return system.daemonPid();
  } catch {
    return undefined;
  }
}
