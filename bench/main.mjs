/**
 * Runs the benchmarks of colos beside the same programs on the BEAM and in TypeScript libraries of the same kind (nact,
 * XState, Effect), and prints how they compare.
 *
 *   npm run bench                      everything, three rounds
 *   npm run bench -- --quick           fewer operations, one round
 *   npm run bench -- ring call         only these
 *   npm run bench -- --no-peers        the BEAM only
 *   npm run bench -- --rounds 10 --json
 *
 * Guarantees: all sides do the same work in the same minutes. For each benchmark the rounds alternate (BEAM, colos, peers,
 * BEAM, colos …), each in an OS process of its own, so that what else the machine does hits all.
 * The carriers are compared with what Node.js itself offers (`carriers.mjs`) in the same way.
 * The BEAM runs as a plain `erl` starts it; only the limit of processes is raised. Without `erl` it is left out. The peers
 * are no dependencies of colos: `bench/peers` has its own lock file, which is installed when it is needed.
 *
 * @module
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const here = import.meta.dirname;
const runTimeoutMs = 600_000;

/**
 * `target` and `aim` are ratios BEAM/colos: 2 means twice as fast, or half the memory. `peers` are those that have a
 * comparable job.
 */
const all = ["nact", "xstate", "effect"];
const benchmarks = [
  { name: "spawn", operations: 300_000, repetitions: 3, target: 1, aim: 2, peers: all },
  { name: "spawn_monitor_down", operations: 300_000, repetitions: 3, target: 1, aim: 2, peers: ["effect"] },
  { name: "ping_pong", operations: 1_000_000, repetitions: 3, target: 1, aim: 2, peers: all },
  { name: "ring", operations: 1_000_000, repetitions: 3, target: 1, aim: 2, peers: all },
  { name: "call", operations: 1_000_000, repetitions: 3, target: 1, aim: 2, peers: ["nact", "effect"] },
  { name: "flood", operations: 500_000, repetitions: 3, target: 1, aim: 2, peers: all },
  { name: "skynet", operations: 1_000_000, repetitions: 1, target: 1, aim: 2, peers: ["nact", "effect"] },
  { name: "memory", operations: 100_000, repetitions: 1, target: 1, aim: 2, peers: all, nodeFlags: ["--expose-gc"] },
];
/** A peer's operations cost several times as much, and it needs no more of them for a steady figure. */
const peerShare = 0.1;

/** `target` and `aim` are ratios peer/colos. The peers: a worker's `postMessage` for each message, and the IPC of `fork`. */
const carrierBenchmarks = [
  { name: "thread_throughput", operations: 300_000, repetitions: 3, target: 2, aim: 3 },
  { name: "thread_throughput_back", operations: 300_000, repetitions: 3, target: 2, aim: 3 },
  { name: "thread_round_trip", operations: 5_000, repetitions: 3, target: 1 / 1.1, aim: 1 },
  { name: "thread_start", operations: 1, repetitions: 5 },
  { name: "os_process_throughput", operations: 300_000, repetitions: 3, target: 3, aim: 5 },
  { name: "os_process_throughput_back", operations: 300_000, repetitions: 3, target: 3, aim: 5 },
  { name: "os_process_round_trip", operations: 5_000, repetitions: 3, target: 1 / 1.1, aim: 1 },
  { name: "os_process_start", operations: 1, repetitions: 5 },
].map((benchmark) => ({ ...benchmark, isCarrier: true }));
const allBenchmarks = [...benchmarks, ...carrierBenchmarks];

const options = parseOptions();
const beam = options.selected.every(({ isCarrier }) => isCarrier) ? undefined : prepareBeam();
const peers = preparePeers();
const results = options.selected.filter(({ isCarrier }) => !isCarrier).map(measure);
const carrierResults = options.selected.filter(({ isCarrier }) => isCarrier).map(measureCarrier);
const system = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, ...beam?.about };
process.stdout.write(options.json ? `${JSON.stringify({ system, results, carrierResults }, null, 2)}\n` : report());

function parseArguments() {
  try {
    return parseArgs({
      options: {
        quick: { type: "boolean" },
        json: { type: "boolean" },
        rounds: { type: "string" },
        peers: { type: "boolean", default: true },
      },
      allowPositionals: true,
      allowNegative: true,
    });
  } catch (refused) {
    fail(`${refused.message} (there are --quick, --json, --rounds N and --no-peers)`);
  }
}

function parseOptions() {
  const { values, positionals } = parseArguments();
  const names = positionals.map((name) => name.replaceAll("-", "_"));
  const unknown = names.find((name) => !allBenchmarks.some((benchmark) => benchmark.name === name));
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (unknown !== undefined)
    fail(`no benchmark "${unknown}"; there are ${allBenchmarks.map(({ name }) => name).join(", ")}`);
  if (!Number.isInteger(rounds) || rounds < 1) fail(`--rounds takes a whole number from 1 on, not "${values.rounds}"`);
  const wanted = allBenchmarks.filter(({ name }) => names.length === 0 || names.includes(name));
  return {
    json: values.json ?? false,
    peers: values.peers,
    rounds,
    selected: values.quick ? wanted.map(quick) : wanted,
  };
}

/** A tenth of the operations: enough to see a factor of two, not enough for the figures in the documentation. */
function quick(benchmark) {
  return { ...benchmark, operations: Math.ceil(benchmark.operations / 10), repetitions: 1 };
}

/** Compiles the Erlang programs to a temporary folder; undefined when there is no Erlang. */
function prepareBeam() {
  if (spawnSync("erlc", ["+help"]).error !== undefined) {
    process.stderr.write("The BEAM is left out: it needs erl, Debian package erlang-base.\n");
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), "colos-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  execFileSync("erlc", ["-o", folder, join(here, "otp/bench_otp.erl")], { stdio: "inherit" });
  const args = ["-noshell", "+P", "3000000", "-pa", folder, "-run", "bench_otp", "main"];
  return { args, about: run("erl", args) };
}

/** Installs the peers from their lock file, once; none when that fails. */
function preparePeers() {
  const folder = join(here, "peers");
  if (!options.peers || existsSync(join(folder, "node_modules"))) return options.peers ? all : [];
  const npm = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: folder,
    encoding: "utf8",
  });
  if (npm.status === 0) return all;
  process.stderr.write(`The peers are left out: npm ci in bench/peers ends with ${npm.status}\n${npm.stderr}`);
  return [];
}

/** Alternates the sides, `rounds` times. */
function measure(benchmark) {
  const { name, operations, repetitions, nodeFlags = [], target, aim } = benchmark;
  const args = [name, String(operations), String(repetitions)];
  const peerArgs = [name, String(operations * peerShare), String(repetitions)];
  const present = peers.filter((peer) => benchmark.peers.includes(peer));
  const lines = { beam: [], colos: [], ...Object.fromEntries(present.map((peer) => [peer, []])) };
  for (let round = 1; round <= options.rounds; round++) {
    progress(`${name}, round ${round} of ${options.rounds}`);
    if (beam !== undefined) lines.beam.push(run("erl", [...beam.args, ...args]));
    lines.colos.push(run(process.execPath, [...nodeFlags, join(here, "colos.mjs"), ...args]));
    for (const peer of present) {
      lines[peer].push(run(process.execPath, [...nodeFlags, join(here, "peers", `${peer}.mjs`), ...peerArgs]));
    }
  }
  progress("");
  const beamFigures = combine(lines.beam);
  const colosFigures = combine(lines.colos);
  const ratio = beamFigures && beamFigures.best / colosFigures.best;
  const medianRatio = beamFigures && beamFigures.median / colosFigures.median;
  const { unit } = lines.colos[0];
  const beside = Object.fromEntries(present.map((peer) => [peer, combine(lines[peer])]));
  return { name, unit, operations, beam: beamFigures, colos: colosFigures, ratio, medianRatio, target, aim, beside };
}

/** Alternates colos and what Node.js offers for the same. */
function measureCarrier({ name, operations, repetitions, target, aim }) {
  const lines = { peer: [], colos: [] };
  for (let round = 1; round <= options.rounds; round++) {
    progress(`${name}, round ${round} of ${options.rounds}`);
    for (const side of ["peer", "colos"]) {
      const args = [join(here, "carriers.mjs"), name, side, String(operations), String(repetitions)];
      lines[side].push(run(process.execPath, args));
    }
  }
  progress("");
  const [peer, colos] = [combine(lines.peer), combine(lines.colos)];
  const [ratio, medianRatio] = [peer.best / colos.best, peer.median / colos.median];
  return { name, unit: lines.colos[0].unit, operations, peer, colos, ratio, medianRatio, target, aim };
}

/** The best and the median of the samples of all rounds. */
function combine(lines) {
  const samples = lines.flatMap((line) => line.samples).toSorted((a, b) => a - b);
  if (samples.length === 0) return undefined;
  const middle = (samples[Math.floor((samples.length - 1) / 2)] + samples[Math.floor(samples.length / 2)]) / 2;
  return { best: samples[0], median: middle, samplesCount: samples.length };
}

/** Runs one program and reads its last line as JSON. Certificates of the outer world are not its business. */
function run(command, args) {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    encoding: "utf8",
    env: { ...env, ERL_CRASH_DUMP_BYTES: "0" },
    timeout: runTimeoutMs,
  });
  if (error !== undefined) fail(`${command} ${args.join(" ")}: ${error.message}`);
  if (status !== 0) fail(`${command} ${args.join(" ")} ends with ${signal ?? status}\n${stderr}${stdout}`);
  return JSON.parse(stdout.trimEnd().split("\n").at(-1));
}

function report() {
  const header = ["benchmark", "unit", "BEAM", "colos", "ratio", "of medians", "target", "aim", "", ...peers];
  const rows = results.map((result) => [
    result.name.replaceAll("_", "-"),
    result.unit,
    figures(result.beam),
    figures(result.colos),
    decimals(result.ratio),
    decimals(result.medianRatio),
    decimals(result.target),
    decimals(result.aim),
    verdict(result),
    ...peers.map((peer) => comparison(result.beside[peer], result.colos)),
  ]);
  const machine = `Node.js ${system.node}; ${system.about ?? "no BEAM"}; ${system.cores} × ${system.cpu}`;
  const legend = [
    "Best (median) of all samples. Ratio: BEAM / colos; above 1 colos is faster, or smaller.",
    ...(peers.length === 0 ? [] : ["Peers: best of all samples, and how many times colos's best that is."]),
  ];
  const tables = [
    ...(results.length === 0 ? [] : [legend.join("\n"), table([header, ...rows])]),
    ...(carrierResults.length === 0 ? [] : [carrierTable()]),
  ];
  return `${machine}\n${tables.join("\n\n")}\n`;
}

function carrierTable() {
  const header = ["carrier", "unit", "Node.js alone", "colos", "ratio", "of medians", "target", "aim", ""];
  const rows = carrierResults.map((result) => [
    result.name.replaceAll("_", "-"),
    result.unit,
    figures(result.peer),
    figures(result.colos),
    decimals(result.ratio),
    decimals(result.medianRatio),
    decimals(result.target),
    decimals(result.aim),
    result.target === undefined ? "no target" : verdict(result),
  ]);
  return table([header, ...rows]);
}

function comparison(peer, colos) {
  return peer === undefined ? "–" : `${significant(peer.best)} (${(peer.best / colos.best).toFixed(1)} ×)`;
}

function verdict({ ratio, target, aim }) {
  if (ratio === undefined) return "not compared";
  if (ratio >= aim) return "aim reached";
  return ratio >= target ? "target reached" : "below target";
}

function figures(side) {
  return side === undefined ? "–" : `${significant(side.best)} (${significant(side.median)})`;
}

function significant(value) {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function decimals(value) {
  return value === undefined ? "–" : value.toFixed(2);
}

/** The first two columns are words, the others figures. */
function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const cell = (text, column) =>
    column < 2 || column === 8 ? text.padEnd(widths[column]) : text.padStart(widths[column]);
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}

/** One line that rewrites itself on a terminal, and nothing elsewhere. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

function fail(message) {
  process.stderr.write(`bench: ${message}\n`);
  process.exit(1);
}
