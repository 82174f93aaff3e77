/**
 * Runner: searches for each planted defect with the campaigns of test/sim, two at a time, and prints what came of it.
 *
 * For each mutant the campaigns and the sources with the defect are made into one file, which runs in an OS process of its own
 * with a limit of `cpuSecondsMax`. The sources themselves are never touched, and what was made is removed.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { build, type Plugin } from "esbuild";
import type { Finding } from "./child.ts";
import { mutated, type Mutant } from "./mutant.ts";
import { mutants } from "./mutants.ts";
import { describeTable, writeTable, type Row } from "./table.ts";

/** CPU seconds in which a defect must be found. */
export const cpuSecondsMax = 60;
/** Seconds after which an OS process that does not stop by itself is ended: a defect can make a loop without end. */
const patienceSeconds = 240;
/** OS processes at a time. */
const workersCount = 2;

/** Runs those that are named, or all; 0 when all were found. */
export async function main(args: readonly string[], root: string, folder: string): Promise<number> {
  const writes = args.includes("--write");
  const ids = args.filter((arg) => !arg.startsWith("--"));
  const chosen = ids.length === 0 ? mutants : ids.map(find);
  const rows: Row[] = [];
  const queue = [...chosen];
  const work = async (): Promise<void> => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const finding = await searchFor(mutant, root, folder);
      rows.push({ mutant, finding });
      process.stdout.write(`${rows.length}/${chosen.length} ${lineOf(mutant, finding)}\n`);
    }
  };
  await Promise.all(Array.from({ length: workersCount }, work));
  rows.sort((one, other) => chosen.indexOf(one.mutant) - chosen.indexOf(other.mutant));
  process.stdout.write(`\n${describeTable(rows)}\n`);
  if (writes) writeDocument(join(root, "docs", "failure-testing.md"), rows);
  return rows.every(({ finding }) => finding.found) ? 0 : 1;
}

function find(id: string): Mutant {
  const mutant = mutants.find((other) => other.id === id);
  if (mutant === undefined) throw new Error(`there is no mutant "${id}"`);
  return mutant;
}

function lineOf({ id }: Mutant, finding: Finding): string {
  const seconds = finding.cpuSeconds.toFixed(1);
  if (!finding.found) return `${id}: not found in ${seconds} s (${finding.message ?? `${finding.eventsCount} events`})`;
  const shrunk = `${finding.choicesFoundCount ?? "?"} to ${finding.choicesCount ?? "?"} choices`;
  return `${id}: ${finding.by} in ${seconds} s, seed ${finding.seed}, ${shrunk} | ${finding.message}`;
}

function writeDocument(path: string, rows: readonly Row[]): void {
  const text = existsSync(path) ? readFileSync(path, "utf8") : "# Failure testing\n";
  writeFileSync(path, writeTable(text, rows));
}

async function searchFor(mutant: Mutant, root: string, folder: string): Promise<Finding> {
  const outfile = join(folder, `${mutant.id}.mjs`);
  const place = resolve(root, mutant.file);
  const planting: Plugin = {
    name: "mutant",
    setup: ({ onLoad }) =>
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        if (path !== place) return undefined;
        return { contents: mutated(mutant, readFileSync(path, "utf8")), loader: "ts" };
      }),
  };
  await build({
    entryPoints: [join(root, "test", "mutants", "child.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    plugins: [planting],
  });
  try {
    return await runChild(outfile);
  } finally {
    rmSync(outfile, { force: true });
  }
}

function runChild(file: string): Promise<Finding> {
  const child = spawn(process.execPath, [file, String(cpuSecondsMax)], { stdio: ["ignore", "pipe", "pipe"] });
  const output: Record<"stdout" | "stderr", string> = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8");
    child[name].on("data", (text: string) => {
      output[name] += text;
    });
  }
  const patience = setTimeout(() => child.kill("SIGKILL"), patienceSeconds * 1000);
  return new Promise((done) => {
    child.once("close", () => {
      clearTimeout(patience);
      done(findingOf(output.stdout, output.stderr));
    });
  });
}

function findingOf(stdout: string, stderr: string): Finding {
  try {
    return JSON.parse(stdout) as Finding;
  } catch {
    const why = stderr.trim().split("\n").at(-1) ?? "";
    return { found: false, cpuSeconds: cpuSecondsMax, eventsCount: 0, message: `it did not come to its end: ${why}` };
  }
}
