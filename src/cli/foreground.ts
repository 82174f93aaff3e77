/**
 * Foreground: runs a system from start to end with a face on it, and turns what a person does (Ctrl+C, closing the
 * terminal or the pipe) into an orderly stop.
 *
 * Guarantees: the first OS signal stops, the second kills; also when they come while the system is being started.
 * A reader that goes away (`| head -1`) is a stop, not a crash. Never rejects for what a system does.
 * Not here: what the face shows (live.ts, plain.ts), the table of exit codes (exit-codes.ts).
 *
 * @module
 */
import type { SystemPlan } from "../control/config.ts";
import type { RunningSystem } from "../control/service.ts";
import type { CliHost, StopSignal } from "./host.ts";

/** Shows a system from now on; the returned function ends that. */
export type ForegroundFace = (system: RunningSystem) => () => void;

/** How a run ended. */
export interface Outcome {
  readonly exitCode: number;
  /** The OS signal that made colos kill the system. */
  readonly killedBy?: StopSignal;
  /** The sentence for a person when it was not an orderly end. */
  readonly problem?: string;
  /** Absent when nothing could be started. */
  readonly system?: RunningSystem;
}

export interface ForegroundOptions {
  readonly passthrough: boolean;
  readonly face: ForegroundFace;
}

/** Starts the system and waits for its end. */
export async function runForeground(plan: SystemPlan, host: CliHost, options: ForegroundOptions): Promise<Outcome> {
  const requests = new StopRequests();
  const undoSignals = host.onStopSignal((signal) => requests.signal(signal));
  try {
    const started = await tryStart(plan, host, options.passthrough);
    return "problem" in started ? started : await untilEnded(started.system, host, requests, options.face);
  } finally {
    undoSignals();
  }
}

async function tryStart(
  plan: SystemPlan,
  host: CliHost,
  passthrough: boolean,
): Promise<{ readonly system: RunningSystem } | { readonly exitCode: number; readonly problem: string }> {
  try {
    return { system: await host.startSystem(plan, { passthrough }) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { exitCode: 1, problem: `the system could not be started: ${reason}` };
  }
}

async function untilEnded(
  system: RunningSystem,
  host: CliHost,
  requests: StopRequests,
  face: ForegroundFace,
): Promise<Outcome> {
  let problem: string | undefined;
  const undoEvents = system.subscribe((event) => {
    if (event.type === "ended") problem = event.problem;
  });
  const endFace = once(face(system));
  let isBroken = false;
  host.stdout.on("error", (error) => {
    if (isBroken) return;
    isBroken = true;
    endFace();
    if (isReaderGone(error)) requests.stop();
    else host.stderr.write(`colos: stdout cannot be written, nothing more is shown: ${error.message}\n`);
  });
  requests.attach(system);

  const exitCode = await system.ended;
  endFace();
  undoEvents();
  const { killedBy } = requests;
  return {
    exitCode,
    system,
    ...(problem === undefined ? {} : { problem }),
    ...(killedBy === undefined ? {} : { killedBy }),
  };
}

/** What was asked for so far, before and after there is a system to ask. */
class StopRequests {
  killedBy: StopSignal | undefined;
  #isStopping = false;
  #signalsCount = 0;
  #system: RunningSystem | undefined;

  attach(system: RunningSystem): void {
    this.#system = system;
    if (this.#isStopping) system.stop();
    if (this.killedBy !== undefined) system.kill();
  }

  stop(): void {
    this.#isStopping = true;
    this.#system?.stop();
  }

  signal(signal: StopSignal): void {
    this.#signalsCount++;
    if (this.#signalsCount === 1) return this.stop();
    this.killedBy ??= signal;
    this.#system?.kill();
  }
}

function isReaderGone(error: Error): boolean {
  const { code } = error as { readonly code?: unknown };
  return code === "EPIPE" || code === "EIO" || code === "ERR_STREAM_DESTROYED";
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    action();
  };
}
