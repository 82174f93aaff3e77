/**
 * colos beside PM2: the same services under both managers, in the same minutes, on this machine.
 *
 *   npm run bench:pm2
 *   npm run bench:pm2 -- --quick                   fewer services, rounds and bytes
 *   npm run bench:pm2 -- --only memory,flood       only these
 *   npm run bench:pm2 -- --systems pm2             one of them alone
 *   npm run bench:pm2 -- --json result.json        all figures and details in a file, too
 *
 * Each scenario starts a manager of its own below a temporary folder, and ends all its OS processes by pid. PM2 is
 * downloaded into `bench/pm2/node_modules` when it is needed; it is no dependency of colos.
 * Exit code 1: something could not be measured.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { endAll } from "./pm2/place.mjs";
import { crash, death, loop } from "./pm2/scenario-failure.mjs";
import { list, memory, start } from "./pm2/scenario-idle.mjs";
import { flood, reload } from "./pm2/scenario-load.mjs";
import { ColosSystem } from "./pm2/system-colos.mjs";
import { Pm2System, preparePm2 } from "./pm2/system-pm2.mjs";

const scenarios = [memory, list, start, crash, flood, reload, loop, death];
const systems = { pm2: Pm2System, colos: ColosSystem };

// What an environment may have Node load at each start would be measured with it.
delete process.env.NODE_EXTRA_CA_CERTS;
delete process.env.NODE_OPTIONS;

const options = parseOptions();
const about = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, at: new Date().toISOString() };
if (options.systems.includes("pm2")) about.pm2 = preparePm2();
const results = {};
const problems = [];

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void endAll().finally(() => process.exit(130)));

for (const scenario of options.scenarios) {
  results[scenario.name] = {};
  for (const name of options.systems) {
    process.stderr.write(`${scenario.name}: ${name}\n`);
    try {
      results[scenario.name][name] = await scenario.run(systems[name], options);
    } catch (error) {
      problems.push(`${scenario.name} with ${name}: ${error.message}`);
    }
    if (options.json !== undefined) writeJson();
  }
}

process.stdout.write(report());
for (const problem of problems) process.stderr.write(`not measured: ${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;

function writeJson() {
  writeFileSync(options.json, `${JSON.stringify({ about, isQuick: options.isQuick, results, problems }, null, 2)}\n`);
}

/** A Markdown table, as it stands in docs/benchmarks.md. */
function report() {
  const names = options.systems;
  const head = ["scenario", "unit", ...names, ...(names.length === 2 ? ["PM2 / colos", "target"] : [])];
  const lines = options.scenarios.flatMap(({ name, figures }) =>
    figures.map(({ key, title, unit, target, isMore = false }) => {
      const values = names.map((system) => results[name][system]?.values[key]);
      const ratio = names.length === 2 ? [ratioText(values, isMore), target === undefined ? "" : `${target} ×`] : [];
      return [title, unit, ...values.map(figureText), ...ratio];
    }),
  );
  const rows = [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |\n`);
  const machine = `${about.cores} cores (${about.cpu}), Node.js ${about.node}, PM2 ${about.pm2 ?? "–"}, ${about.at}`;
  return `${machine}${options.isQuick ? ", --quick" : ""}\n\n${rows.join("")}`;
}

/** How many times better colos is. */
function ratioText([pm2, colos], isMore) {
  if (typeof pm2 !== "number" || typeof colos !== "number" || pm2 === 0 || colos === 0) return "";
  const ratio = isMore ? colos / pm2 : pm2 / colos;
  return ratio.toFixed(ratio < 10 ? 2 : 0);
}

function figureText(value) {
  if (value === undefined) return "–";
  if (typeof value !== "number" || Number.isInteger(value)) return String(value);
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

function parseOptions() {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        only: { type: "string" },
        systems: { type: "string", default: "pm2,colos" },
        json: { type: "string" },
      },
    });
    const only = values.only?.split(",");
    const unknown = [
      ...(only ?? []).filter((each) => !scenarios.some(({ name }) => name === each)),
      ...values.systems.split(",").filter((each) => systems[each] === undefined),
    ];
    if (unknown.length > 0) throw new Error(`there is no ${unknown.join(", ")}`);
    return {
      isQuick: values.quick,
      settleMs: values.quick ? 2_000 : 10_000,
      scenarios: scenarios.filter(({ name }) => only?.includes(name) ?? true),
      systems: values.systems.split(","),
      json: values.json,
    };
  } catch (refused) {
    const known = scenarios.map(({ name }) => name).join(", ");
    process.stderr.write(
      `${refused.message} (there are --quick, --json FILE, --systems pm2,colos and --only with any of ${known})\n`,
    );
    process.exit(2);
  }
}
