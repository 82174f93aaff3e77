/**
 * Simulation: how many events of the reference scenario the simulator takes in a second of CPU time, all oracles on, and how much
 * virtual time that is.
 *
 *   node bench/simulation.mjs [virtual seconds of a run] [runs]
 *
 * The scenario is test/sim/reference.ts: twenty processes, supervisors of three strategies, clients that call them, kills,
 * crashes, slow and failing inits, and a child that does not stop. It is made into one file together with the sources, so it
 * needs no build. The first tenth of the runs only warms up.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { oneFile } from "../test/one-file.mjs";

const [seconds, runs] = [process.argv[2] ?? 60, process.argv[3] ?? 40].map(Number);
if (!(seconds > 0) || !(runs >= 1)) {
  process.stderr.write("simulation: give the virtual seconds of a run, and how many runs\n");
  process.exit(2);
}

const { file } = await oneFile(new URL("../test/sim/reference.ts", import.meta.url), "simulation", {
  esbuild: import.meta.resolve("esbuild"),
});
const { reference } = await import(pathToFileURL(file).href);
const scenario = reference({ durationMs: seconds * 1000 });
const warmUp = Math.ceil(runs / 10);
await scenario.check({ runs: warmUp, selfCheckEvery: 0, eventsMax: Infinity });

const before = process.cpuUsage();
const report = await scenario.check({ seed: warmUp + 1, runs, selfCheckEvery: 0, eventsMax: Infinity });
const { user, system } = process.cpuUsage(before);
const cpuSeconds = (user + system) / 1e6;

const { kill = 0, crash = 0 } = report.faults;
const hours = report.virtualMs / 3_600_000;
const whole = (value) => Math.round(value).toLocaleString("en");
process.stdout.write(
  [
    `${runs} runs of ${seconds} virtual seconds of faults: ${whole(report.eventsCount)} events, ${whole(kill)} kills and ${whole(crash)} crashes in ${cpuSeconds.toFixed(1)} CPU s`,
    `${whole(report.eventsCount / cpuSeconds)} events per CPU second, all oracles on`,
    `${(hours / (cpuSeconds / 60)).toFixed(1)} virtual hours per CPU minute`,
    "",
  ].join("\n"),
);
