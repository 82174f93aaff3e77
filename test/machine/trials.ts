/**
 * Trials: what needs systemd, cgroup v2, journald or a boot, tried on a real machine, and told with what was seen.
 *
 * A trial is a shell script in `trials/`; its first line says what is tried. A line `#! <word>` divides it: `root` and `person` open a new login
 * session, `reboot` has the machine start again in order, `power` cuts its power.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Machine } from "./machine.ts";
import { packColos } from "./packages.ts";

/** @returns the exit code */
export async function main(args: readonly string[], here: URL): Promise<number> {
  const options = { only: { type: "string" }, keep: { type: "string" }, open: { type: "boolean" } } as const;
  const { values } = parseArgs({ args: [...args], options });
  const { keep, only = "", open = false } = values;
  const folder = keep ?? mkdtempSync(join(tmpdir(), "colos-machine-"));
  mkdirSync(folder, { recursive: true });
  let machine: Machine | undefined;
  try {
    makeDisk(folder, here);
    packColos(fileURLToPath(new URL("../..", here)), join(folder, "colos.tar.gz"));
    const startedMs = performance.now();
    machine = await Machine.start(folder);
    await machine.put(readFileSync(join(folder, "colos.tar.gz")), "tar -xzf - -C /");
    const example = execFileSync("tar", ["-c", "-C", fileURLToPath(new URL("../../examples", here)), "container"]);
    await machine.put(example, "tar -xf - -C /srv");
    tell(`a machine, after ${seconds(startedMs)}${Machine.isFast ? "" : " (emulated: without KVM)"}`);
    if (open) return await untilStopped(machine);
    const trials = readTrials(new URL("trials/", here)).filter(({ name }) => name.includes(only));
    let failuresCount = 0;
    for (const trial of trials) if (!(await isHeld(trial, machine))) failuresCount += 1;
    tell(`${trials.length - failuresCount} of ${trials.length} trials held`);
    return failuresCount === 0 ? 0 : 1;
  } finally {
    await machine?.end();
    if (keep === undefined) rmSync(folder, { recursive: true });
  }
}

interface Trial {
  readonly name: string;
  readonly title: string;
  readonly parts: readonly { readonly how: string; readonly script: string }[];
}

function readTrials(folder: URL): Trial[] {
  const library = readFileSync(new URL("lib.sh", folder), "utf8");
  const names = readdirSync(folder).filter((name) => /^\d/.test(name));
  return names.toSorted().map((name) => {
    const [title = "", ...rest] = readFileSync(new URL(name, folder), "utf8").split("\n");
    const [first = "", ...others] = rest.join("\n").split(/^#! (\w+)\n/m);
    const parts = [{ how: "root", script: `${library}\n${first}` }];
    for (let at = 0; at < others.length; at += 2)
      parts.push({ how: others[at]!, script: `${library}\n${others[at + 1]}` });
    return { name: name.replace(/\.sh$/, ""), title: title.replace(/^# /, ""), parts };
  });
}

async function isHeld({ name, title, parts }: Trial, machine: Machine): Promise<boolean> {
  const startedMs = performance.now();
  const said: string[] = [];
  let code = 0;
  for (const { how, script } of parts) {
    if (how === "reboot") await machine.reboot();
    if (how === "power") await machine.cutPower();
    const answer = await machine.ask(script, { user: how === "person" ? "person" : "root" });
    said.push(answer.said);
    code = answer.code;
    if (code !== 0) break;
  }
  const lines = said.join("").trimEnd().split("\n");
  // All that was said is of interest only when it failed.
  const shown = code === 0 ? lines.filter((line) => line.startsWith("= ")) : lines;
  tell(`${code === 0 ? "held  " : "FAILED"} ${name}: ${title} (${seconds(startedMs)})`);
  for (const line of shown) tell(`       ${line.replace(/^= /, "")}`);
  return code === 0;
}

function makeDisk(folder: string, here: URL): void {
  const made = join(folder, "disk.new");
  if (!existsSync(made)) {
    const script = fileURLToPath(new URL("image.sh", here));
    execFileSync(script, [folder], { stdio: ["ignore", "inherit", "inherit"] });
  }
  execFileSync("cp", ["--sparse=always", made, join(folder, "disk")]);
}

async function untilStopped(machine: Machine): Promise<number> {
  tell(machine.command.join(" "));
  await new Promise((resolve) => void process.once("SIGINT", resolve).once("SIGTERM", resolve));
  return 0;
}

function seconds(sinceMs: number): string {
  return `${Math.round((performance.now() - sinceMs) / 1_000)} s`;
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}
