/**
 * A service that is killed, without and with a standby: how long until its next run is ready, and until a client has an answer again.
 *
 *   npm run bench:standby
 *   npm run bench:standby -- --quick      fewer rounds
 *
 * `end → ready` is what the manager itself says (`colos show --json`): from the end of the run, as its shim wrote it down, to the
 * moment in which the next one passed its readiness check (a line on a file descriptor). `SIGKILL → answer` is what a client
 * sees that asks every 2 ms. Both are medians, with the worst behind them.
 *
 * @module
 */
import { cpus } from "node:os";
import { join } from "node:path";
import { median, pause, quantile, until } from "./pm2/figures.mjs";
import { endAll } from "./pm2/place.mjs";
import { answering, freePorts, listReady } from "./pm2/services.mjs";
import { ColosSystem } from "./pm2/system-colos.mjs";

delete process.env.NODE_OPTIONS;
const isQuick = process.argv.includes("--quick");
const rounds = isQuick ? 5 : 20;
/** Between two rounds, so that the next one stands by and nothing else is done. */
const quietMs = 1_500;
const services = join(import.meta.dirname, "pm2/services");
const readyFd = 8;
const programs = { "node:http alone": "server.mjs", "with 4 packages": "packages.mjs" };

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void endAll().finally(() => process.exit(130)));

console.log(`${cpus().length} cores (${cpus()[0]?.model}), Node.js ${process.version}, ${rounds} rounds each\n`);
console.log("| program | standby | end → ready, ms | worst | SIGKILL → answer, ms | worst |");
console.log("| --- | --- | --- | --- | --- | --- |");
for (const [name, file] of Object.entries(programs))
  for (const standby of [false, true]) await measure(name, file, standby);

async function measure(name, file, standby) {
  const system = new ColosSystem();
  try {
    const [port] = await freePorts(1);
    const env = { READY_FD: String(readyFd) };
    const program = { program: join(services, file), args: [String(port)], env, ready: { fd: readyFd } };
    // A window that 20 kills do not use up, and no delay: what is measured is the start.
    const restart = { maxRestarts: 1_000, backoff: { initialMs: 0, maxMs: 0 } };
    await system.startConfig({ web: { ...program, ...restart, standby } });
    await listReady(system, 1);
    const ready = [];
    const answers = [];
    for (let round = 0; round < rounds; round += 1) {
      if (standby) await standsBy(system);
      await pause(quietMs);
      const before = await answering(port);
      const killedAt = performance.now();
      process.kill(before, "SIGKILL");
      await answering(port, (pid) => pid !== before);
      answers.push(performance.now() - killedAt);
      ready.push(await endToReady(system));
    }
    const figures = [median(ready), quantile(ready, 1), median(answers), quantile(answers, 1)];
    console.log(`| ${[name, standby ? "yes" : "no", ...figures.map((each) => each.toFixed(0))].join(" | ")} |`);
  } finally {
    await system.end();
  }
}

function standsBy(system) {
  return until("a standby", async () => (await shown(system)).standbyOsPid !== undefined, { everyMs: 100 });
}

/** Between the end of the last run and the readiness of the one that followed. */
function endToReady(system) {
  return until("the next run is ready", async () => {
    const [next, last] = (await shown(system)).runs;
    return next.readyAt !== undefined && last?.exit !== undefined && next.readyAt - last.exit.at;
  });
}

async function shown(system) {
  const { stdout } = await system.command(["show", "web", "--json"]);
  return JSON.parse(stdout).instances[0];
}
