/**
 * Run talk: what a person says to a run that lives, past the core: OS signals, lines of input, calls to a program.
 *
 * Guarantees: nothing of it changes what is wanted of a service, and nothing of it stands in the journal. Who cannot be reached is said
 * with the reason.
 *
 * @module
 */
import { constants as osConstants } from "node:os";
import { ManagerError, type CallInput, type CallReport, type InstanceProblem } from "../../control/manager.ts";
import { callMsDefault, type ListedProcesses } from "../../control/program-call.ts";
import type { ServiceRecord } from "../core/record.ts";
import { runsOf, type LiveInstance, type LiveRun } from "../core/live.ts";
import type { Home } from "../home.ts";
import { callProgram, listProgram, ProgramCallError } from "../program/program-calls.ts";
import { reasonText } from "../reason-text.ts";
import type { Runs } from "../run/run.ts";
import type { Target, Targets } from "./targets.ts";

export class RunTalk {
  readonly #home: Home;
  readonly #runs: Runs;
  readonly #targets: Targets;

  constructor(home: Home, runs: Runs, targets: Targets) {
    this.#home = home;
    this.#runs = runs;
    this.#targets = targets;
  }

  /** Who got no OS signal. @throws ManagerError `invalid` for a name that is none */
  signal(targets: readonly Target[], signal: string): InstanceProblem[] {
    const problems: InstanceProblem[] = [];
    for (const target of targets) {
      const live = this.#targets.live(target);
      const runs =
        live === undefined ? [] : runsOf(live).filter(({ phase, isStandby }) => phase !== "asked" && !isStandby);
      for (const run of runs) this.#runs.signal(run.id, signal);
      const name = live?.name ?? target.service;
      if (runs.length === 0) problems.push({ name, sentence: `${name} does not run`, lastLines: [] });
    }
    return problems;
  }

  /** A line to the input of the first instance, or of the one that is named. */
  async send(name: string, text: string): Promise<void> {
    const { live } = this.#named(name);
    const run = runningOf(live, name, "nobody reads what is sent");
    try {
      await this.#runs.write(run.id, text.endsWith("\n") ? text : `${text}\n`);
    } catch (error) {
      throw new ManagerError("refused", reasonText(error));
    }
  }

  async call({ name, request, timeoutMs = callMsDefault }: CallInput): Promise<CallReport> {
    const { service, live } = this.#named(name);
    const { plan } = service;
    const called = live?.name ?? name;
    if (!isCallable(service)) {
      const what = plan.run.kind === "command" ? "a command" : `a program on the carrier ${plan.carrier}`;
      throw new ManagerError("refused", `${called} is ${what}, not a program of processes on the carrier os-process`);
    }
    const run = runningOf(live, name, "nobody answers");
    try {
      return { reply: await callProgram(this.#home, run.id, request, timeoutMs) };
    } catch (error) {
      const why = error instanceof ProgramCallError ? error.message : reasonText(error);
      throw new ManagerError("refused", `${called}: ${why}`);
    }
  }

  /** What programs of processes say of theirs, all asked at the same time; of those that answer, by run. */
  async processes(): Promise<ReadonlyMap<string, ListedProcesses>> {
    const runs = this.#targets.everything().flatMap((target) => {
      const run = this.#targets.live(target)?.current;
      return run !== undefined && isCallable(this.#targets.service(target.service)!) ? [run.id] : [];
    });
    const lists = await Promise.all(runs.map((run) => listProgram(this.#home, run)));
    return new Map(runs.flatMap((run, at) => (lists[at] === undefined ? [] : [[run, lists[at]] as const])));
  }

  #named(name: string): { readonly service: ServiceRecord; readonly live: LiveInstance | undefined } {
    const { service, number = 1 } = this.#targets.find(name);
    return { service, live: this.#targets.live({ service: service.plan.name, number }) };
  }
}

/** @throws ManagerError `invalid` */
export function assertSignal(name: string): void {
  if (!Object.hasOwn(osConstants.signals, name))
    throw new ManagerError("invalid", `${name} is no OS signal here`, "kill -l lists what there is");
}

/** Whether colos can ask it: a program of processes in an OS process of its own. */
function isCallable({ plan }: ServiceRecord): boolean {
  return plan.run.kind === "program" && plan.carrier === "os-process";
}

function runningOf(live: LiveInstance | undefined, name: string, consequence: string): LiveRun {
  if (live?.current === undefined || live.current.phase === "asked") {
    throw new ManagerError("refused", `${live?.name ?? name} does not run, so ${consequence}`, `colos start ${name}`);
  }
  return live.current;
}
