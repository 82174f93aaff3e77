/**
 * The BEAM: writes programs as Erlang terms, compiles the interpreter of `test/otp/`, runs it once for all of them and
 * reads the traces.
 *
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Instruction, Program, Reason, Trace } from "./program.ts";

/** Programs that run at the same time. */
export const beamSlots = 200;
/** The whole run may take so long, plus so much per program, in milliseconds. */
const runMs = 20_000;
const programMs = 50;

/** Runs `programs` on the BEAM. @throws Error when it fails, hangs, or leaves a program out. */
export async function runOnBeam(
  programs: readonly Program[],
  source: string,
  onTrace: (done: number) => void = () => {},
): Promise<Trace[]> {
  const folder = mkdtempSync(join(tmpdir(), "colos-differential-"));
  try {
    execFileSync("erlc", ["-o", folder, source], { stdio: "inherit" });
    const file = join(folder, "programs.txt");
    writeFileSync(file, programs.map((program, index) => `{${index},${programTerm(program)}}.\n`).join(""));
    return await readTraces(folder, file, programs.length, onTrace);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function readTraces(
  folder: string,
  file: string,
  count: number,
  onTrace: (done: number) => void,
): Promise<Trace[]> {
  const erl = spawn("erl", ["-noshell", "-pa", folder, "-run", "differential", "main", file, String(beamSlots)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ERL_CRASH_DUMP_BYTES: "0" },
    timeout: runMs + count * programMs,
  });
  const ended = new Promise<string | undefined>((resolve) => {
    erl.once("error", (error) => resolve(error.message));
    erl.once("exit", (code, signal) => resolve(code === 0 ? undefined : `it ended with ${signal ?? code}`));
  });
  const traces: Trace[] = [];
  const strange: string[] = [];
  let done = 0;
  for await (const line of createInterface({ input: erl.stdout })) {
    if (line.startsWith("[")) {
      const [index, trace] = JSON.parse(line) as [number, Trace];
      traces[index] = trace;
      onTrace((done += 1));
    } else strange.push(line);
  }
  const problem = await ended;
  if (problem !== undefined || done !== count)
    throw new Error(`the BEAM gave ${done} of ${count} traces: ${problem ?? ""}\n${strange.slice(0, 20).join("\n")}`);
  return traces;
}

/** A program as the interpreter reads it: `[[{send, 1, a}, …], …]`. */
export function programTerm(program: Program): string {
  return `[${program.map((body) => `[${body.map(instructionTerm).join(",")}]`).join(",")}]`;
}

/** The word first, then the fields as the interpreter's clauses have them. */
function instructionTerm(instruction: Instruction): string {
  const values = fieldNames[instruction.op].map((name) =>
    valueTerm((instruction as unknown as Readonly<Record<string, string | number | boolean | null>>)[name] ?? null),
  );
  const word = instruction.op === "receive" ? "'receive'" : instruction.op;
  return values.length === 0 ? word : `{${[word, ...values].join(",")}}`;
}

const fieldNames: Readonly<Record<Instruction["op"], readonly string[]>> = {
  spawn: ["role", "how"],
  introduce: ["who", "to"],
  await: ["who"],
  send: ["to", "tag"],
  sendName: ["name", "tag"],
  receive: ["match", "timeoutMs"],
  link: ["to"],
  unlink: ["to"],
  monitor: ["to"],
  monitorName: ["name"],
  demonitor: ["monitor", "flush"],
  exit: ["to", "reason"],
  exitSelf: ["reason"],
  trapExit: ["on"],
  register: ["name", "who"],
  unregister: ["name"],
  whereis: ["name"],
  isAlive: ["who"],
  sendAfter: ["delayMs", "to", "tag"],
  sendAfterName: ["delayMs", "name", "tag"],
  startTimer: ["delayMs", "to", "tag"],
  cancelTimer: ["timer"],
  pause: ["durationMs"],
  park: [],
};

/** Null is a wait without end. */
function valueTerm(value: string | number | boolean | null): string {
  if (value === null) return "infinity";
  return typeof value === "string" && value.startsWith("tagged:") ? reasonTerm(value) : String(value);
}

function reasonTerm(reason: Reason): string {
  return `{tagged,${reason.slice("tagged:".length)}}`;
}
