/**
 * Limits: user, group, nice value and limits of each run's whole tree of OS processes, held by the best that the machine has.
 *
 * | limit | with a delegated cgroup v2 | otherwise |
 * | --- | --- | --- |
 * | memoryBytes | the OS kernel ends the run | the sampler tells it, the run is ended |
 * | cpuPercent | the OS kernel makes it wait | the sampler tells it, no more |
 * | pidsMax | the OS kernel refuses more | as another user: the OS refuses more (all of that user together); the sampler in any case |
 * | fdsMax | rlimit, for each OS process | the same |
 *
 * Guarantees: what cannot be is refused before anything starts. `describe` says of each limit how it is held, `abilities` what
 * the machine has, and why not more. The limits are set before the service executes, so it never runs without them.
 * Limits: Linux; elsewhere nothing is held, and `describe` says so. What the sampler cannot see (sampler.ts).
 * Not here: when a run is started and ended (manager.ts, run/).
 *
 * @module
 */
import { readFileSync } from "node:fs";
import type { LimitsPlan } from "../../control/config.ts";
import { findProcessStat } from "../../os/process-sample.ts";
import type { Preparation } from "../run/run-launch.ts";
import { RunStartError, type RunId, type RunSpec } from "../run/run.ts";
import { runVariable } from "../run/shim-script.ts";
import { openCgroups, type Cgroups, type CgroupSources, type Controller } from "./cgroup.ts";
import { identityHost, identityOf, type IdentityConfig, type IdentityHost } from "./identity.ts";
import { cpuOverMs, LimitSampler, sampleEveryMs, type SamplerOptions } from "./sampler.ts";
import { sizeText } from "./size-text.ts";

/** Exit status of a run whose limits could not be set; what failed stands in its stderr. */
export const unlimitedStatus = 77;

/** What is asked for: a plan or a spec. */
export interface LimitedService extends IdentityConfig {
  readonly limits: LimitsPlan;
}

export interface LimitsOptions extends Omit<SamplerOptions, "procFolder"> {
  /** The root of the home, which tells its groups from those of others. */
  readonly home: string;
  /** For tests. */
  readonly cgroups?: CgroupSources;
  readonly identity?: IdentityHost;
  readonly fdsHardMax?: number;
}

/** Looks at the machine once, and takes over the cgroup when it was delegated. */
export async function openLimits(options: LimitsOptions): Promise<Limits> {
  const identity = options.identity ?? (await identityHost());
  const isOurs = (osPid: number): boolean => isOfColos(osPid, options.home);
  const cgroups: Cgroups | { absent: string } =
    process.platform === "linux"
      ? openCgroups(options.home, options.cgroups ?? { isOurs })
      : { absent: `this is ${process.platform}, not Linux` };
  return new Limits(options, identity, cgroups);
}

export class Limits {
  readonly #identity: IdentityHost;
  readonly #cgroups: Cgroups | undefined;
  readonly #absent: string;
  readonly #sampler: LimitSampler;
  readonly #fdsHardMax: number;

  constructor(options: LimitsOptions, identity: IdentityHost, cgroups: Cgroups | { readonly absent: string }) {
    this.#identity = identity;
    this.#cgroups = "absent" in cgroups ? undefined : cgroups;
    this.#absent = "absent" in cgroups ? cgroups.absent : controllersText(cgroups.controllers);
    this.#sampler = new LimitSampler(options);
    this.#fdsHardMax = options.fdsHardMax ?? fdsHardMaxNow();
  }

  /** What holds limits on this machine: one sentence each. */
  get abilities(): readonly string[] {
    const held = this.#cgroups?.controllers ?? [];
    const tree =
      held.length === 0
        ? `limits of memory, CPU and OS processes are looked at every ${sampleEveryMs} ms: ${this.#absent}`
        : `the OS kernel holds limits of ${held.join(", ")} (cgroup v2)`;
    const { changer } = this.#identity;
    const who =
      this.#identity.may("setUser") && changer !== undefined
        ? `another user by ${changer.path}`
        : "only the daemon's user";
    return [tree, `services can run as ${who}`];
  }

  /** Why this cannot run here: one sentence each, which begins with the key. */
  async refusals(service: LimitedService): Promise<readonly string[]> {
    const identity = await identityOf(service, this.#identity);
    const { fdsMax } = service.limits;
    const isTooMany = fdsMax !== undefined && fdsMax > this.#fdsHardMax && !this.#identity.may("limits");
    return [
      ...("problem" in identity ? [identity.problem] : []),
      ...(isTooMany
        ? [
            `limits.fdsMax: ${fdsMax} is more than the ${this.#fdsHardMax} that the daemon itself may have; start it with more (ulimit -Hn), or write less`,
          ]
        : []),
    ];
  }

  /** How each limit is held: one sentence each. */
  async describe(service: LimitedService): Promise<readonly string[]> {
    const identity = await identityOf(service, this.#identity);
    const who = "problem" in identity ? [identity.problem] : identity.describe;
    return [...who, ...this.#describeLimits(service.limits, "ids" in identity)];
  }

  /** For `openRuns`. Makes the run's group. @throws RunStartError */
  async prepare(spec: RunSpec): Promise<Preparation> {
    const refusals = await this.refusals(spec);
    if (refusals.length > 0)
      throw new RunStartError(`${spec.service} cannot be started: ${refusals.join("; ")}`, "EPERM", false);
    const identity = await identityOf(spec, this.#identity);
    if ("problem" in identity) throw new RunStartError(identity.problem, "EPERM", false);
    const lines = [
      ...this.#limitLines(spec.limits, identity.ids !== undefined),
      // Who opens /dev/stdout anew needs more than the open descriptor.
      ...(identity.ids === undefined
        ? []
        : [`PATH=${toolsPath} chown ${identity.ids.userId} "$colos_pipe.out" "$colos_pipe.err" 2>/dev/null || :`]),
    ];
    const cgroup = this.#makeGroup(spec);
    const enter =
      cgroup === undefined ? [] : [orGiveUp(`echo "$colos_pid" >${quoted(`${cgroup}/cgroup.procs`)}`, "its cgroup")];
    return {
      preamble: [...enter, ...lines].join("\n"),
      prefix: identity.prefix,
      ...(cgroup === undefined ? {} : { cgroup }),
    };
  }

  /** A run runs, started now or found again. */
  began(run: RunId, limits: LimitsPlan): void {
    const { memoryBytes, cpuPercent, pidsMax } = limits;
    // A daemon that had no groups may have started it.
    const isInGroup = this.#cgroups?.has(run) === true;
    const isHeld = (controller: Controller): boolean => isInGroup && this.#holds(controller);
    const sampled = {
      ...(memoryBytes === undefined || isHeld("memory") ? {} : { memoryBytes }),
      ...(cpuPercent === undefined || isHeld("cpu") ? {} : { cpuPercent }),
      ...(pidsMax === undefined || isHeld("pids") ? {} : { pidsMax }),
    };
    if (Object.keys(sampled).length > 0) this.#sampler.watch({ id: run, limits: sampled });
  }

  /** A run has ended: its group goes. Gives what the OS kernel did because of its limits, as a sentence. */
  ended(run: RunId): string | undefined {
    this.#sampler.unwatch(run);
    const why = this.#cgroups?.whyEnded(run);
    this.#cgroups?.remove(run);
    return why;
  }

  /** SIGKILL to everything in the run's group. False when it has none. */
  kill(run: RunId): boolean {
    return this.#cgroups?.kill(run) ?? false;
  }

  /** Removes what earlier daemons left of runs that are over. */
  sweep(isAlive: (run: RunId) => boolean): void {
    this.#cgroups?.sweep(isAlive);
  }

  /** Looks no more; what the OS kernel holds, it goes on holding. */
  close(): void {
    this.#sampler.stop();
  }

  #holds(controller: Controller): boolean {
    return this.#cgroups?.controllers.includes(controller) ?? false;
  }

  #makeGroup({ id, service, limits }: RunSpec): string | undefined {
    if (this.#cgroups === undefined) return undefined;
    try {
      return this.#cgroups.make(id, limits);
    } catch (error) {
      const { code = "EIO", message } = error as NodeJS.ErrnoException;
      throw new RunStartError(`${service} cannot be started: its cgroup cannot be made: ${message}`, code, true);
    }
  }

  /** Lines for `/bin/sh`, in the service's own OS process, before it becomes the user. */
  #limitLines({ fdsMax, pidsMax }: LimitsPlan, isOtherUser: boolean): string[] {
    const lines: string[] = [];
    if (fdsMax !== undefined) lines.push(orGiveUp(`ulimit -n ${fdsMax}`, "limits.fdsMax"));
    // bash calls it -u, dash and busybox -p.
    if (pidsMax !== undefined && isOtherUser && !this.#holds("pids"))
      lines.push(orGiveUp(`ulimit -u ${pidsMax} 2>/dev/null || ulimit -p ${pidsMax}`, "limits.pidsMax"));
    return lines;
  }

  #describeLimits({ memoryBytes, cpuPercent, fdsMax, pidsMax }: LimitsPlan, isOtherUser: boolean): string[] {
    const looked = `looked at every ${sampleEveryMs} ms, as cgroup v2 does not hold it here`;
    const byKernel = "held by the OS kernel (cgroup v2)";
    const said: string[] = [];
    if (memoryBytes !== undefined)
      said.push(
        `memory: ${sizeText(memoryBytes)} for all its OS processes; ${this.#holds("memory") ? `${byKernel}, which ends all of them` : `${looked}; when it uses more, it is ended`}`,
      );
    if (cpuPercent !== undefined)
      said.push(
        `CPU: ${cpuPercent} % of a core; ${this.#holds("cpu") ? `${byKernel}, which makes it wait` : `${looked}; more for ${cpuOverMs} ms is told and not held`}`,
      );
    if (pidsMax !== undefined)
      said.push(`OS processes and threads: ${pidsMax}; ${this.#describePids(isOtherUser, looked, byKernel)}`);
    if (fdsMax !== undefined)
      said.push(`file descriptors: ${fdsMax} for each of its OS processes; held by the OS kernel (rlimit)`);
    return said;
  }

  #describePids(isOtherUser: boolean, looked: string, byKernel: string): string {
    if (this.#holds("pids")) return `${byKernel}, which refuses more`;
    const ended = `${looked}; when it has more, it is ended`;
    return isOtherUser ? `the OS kernel refuses more for all that its user runs (rlimit), and ${ended}` : ended;
  }
}

function controllersText(controllers: readonly Controller[]): string {
  const named = controllers.length === 0 ? "none of memory, cpu, pids" : `only ${controllers.join(", ")}`;
  return `the daemon's cgroup has ${named}`;
}

const toolsPath = "/usr/bin:/bin";

function orGiveUp(line: string, what: string): string {
  return `{ ${line}; } || { echo "colos: ${what} could not be set, so it does not run" >&2; exit ${unlimitedStatus}; }`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * Whether an OS process is one of colos: the daemon, a helper or a run of its home, wherever it was started, what one of them has started (such
 * as the `sleep` of the heart), or one that has ended by now.
 */
export function isOfColos(osPid: number, home: string): boolean {
  for (let at = osPid; at > 1;) {
    if (at === process.pid || at === process.ppid) return true;
    const stat = findProcessStat(at);
    if (stat === undefined) return true;
    if (isMarked(at, home)) return true;
    at = stat.parentPid;
  }
  return false;
}

function isMarked(osPid: number, home: string): boolean {
  const of = (file: string): string => {
    try {
      return readFileSync(`/proc/${osPid}/${file}`, "latin1");
    } catch {
      return "";
    }
  };
  return (
    of("cmdline").includes(home) ||
    of("environ")
      .split("\0")
      .some((entry) => entry.startsWith(`${runVariable}=`))
  );
}

function fdsHardMaxNow(): number {
  try {
    const [, hard] = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return hard === undefined ? Infinity : Number(hard);
  } catch {
    return Infinity; // not Linux: the shell refuses it then
  }
}
