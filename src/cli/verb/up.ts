/**
 * `colos up`: makes the system what the config says, and waits until it is. Starts a daemon when the home has none.
 *
 * Guarantees: a config that is wrong is refused before a daemon is started or asked. Applying the same config twice changes
 * nothing, and says so. When the daemon that was started for it refuses it, that daemon ends again, unless somebody else has
 * given it something meanwhile; whoever was about to do so starts another.
 *
 * @module
 */
import { ConnectionLostError, DaemonAbsentError } from "../../control/manager-client.ts";
import { ManagerError, type ApplyReport, type PlanInput, type WaitOptions } from "../../control/manager.ts";
import type { InstanceState, InstanceStatus } from "../../control/service.ts";
import { type Call, commonOptions, managerVerb } from "../call.ts";
import { changeLines, hasChanges } from "../changes.ts";
import { exitCodes } from "../exit-codes.ts";
import { durationText } from "../figures.ts";
import { readWait, waitOptions } from "../names.ts";
import { tellReport } from "../operation-report.ts";
import { instanceName } from "../../control/service.ts";
import { readPlan } from "../plan-input.ts";
import { withProgress } from "../progress.ts";
import type { Verb } from "../verb.ts";
import type { Options, Words } from "../words.ts";

const foregroundOptions: Options = {
  foreground: { help: "run without a daemon, until Ctrl+C" },
  plain: { help: "with --foreground: lines, no live table" },
  "no-tty": { help: "the same as --plain" },
};

const unitOptions: Options = {
  unit: { help: "as a unit of systemd types it: the daemon runs in the unit, and a service that fails is told alone" },
};

const containerOptions: Options = {
  container: { help: "run the daemon here, as the command of a container, until SIGTERM" },
};

/** How often a daemon is started or asked before one that is gone each time is a failure. */
export const triesMax = 5;

interface UpInput {
  readonly wait: WaitOptions;
  readonly config: string | undefined;
  readonly isContained: boolean;
  readonly isUnit: boolean;
}

const withDaemon: Verb = managerVerb<UpInput>({
  notes: [
    "Without [config], colos.config.(ts|js|mjs|json|yaml|yml) in the working directory.",
    "What the config no longer says is stopped and removed. The same config twice changes nothing.",
  ],
  options: { ...waitOptions, ...foregroundOptions, ...containerOptions, ...unitOptions },
  read: (words) => {
    const isContained = words.has("container");
    const waits = Object.keys(waitOptions).find((option) => isContained && words.has(option));
    if (waits !== undefined) throw words.wrong(`--${waits} is for a daemon of its own; with --container nobody waits`);
    const given = ["plain", "no-tty"].find((option) => words.has(option));
    if (given !== undefined) throw words.wrong(`--${given} is for --foreground`);
    const isUnit = words.has("unit");
    if (isUnit && isContained) throw words.wrong("--unit is for a daemon of its own; leave --container out");
    return { config: words.one("config"), isContained, isUnit, wait: readWait(words) };
  },
  run: async (input, call) => {
    if (!input.isContained) return applyConfig(input, call);
    const { upContainer } = await import("../up-container.ts");
    return upContainer(input.config, call);
  },
});

export const up: Verb = {
  ...withDaemon,
  run: (words, host) => (words.has("foreground") ? runForegroundUp(words, host) : withDaemon.run(words, host)),
};

async function runForegroundUp(words: Words, host: Call["host"]): Promise<number> {
  const foreground = new Set(["help", ...Object.keys(foregroundOptions)]);
  const other = Object.keys({ ...waitOptions, ...containerOptions, ...unitOptions, ...commonOptions }).find(
    (name) => !foreground.has(name) && words.has(name),
  );
  if (other !== undefined) throw words.wrong(`--${other} is for a daemon; with --foreground there is none`);
  const plain = words.has("plain") || words.has("no-tty");
  const config = words.one("config");
  const { upForeground } = await import("../up-foreground.ts");
  return upForeground({ plain, ...(config === undefined ? {} : { config }) }, host);
}

async function applyConfig({ config, wait, isUnit }: UpInput, call: Call): Promise<number> {
  const { host } = call;
  const input = await readPlan(config, call);
  if (input === undefined) return exitCodes.usage;
  const startedMs = host.clock.monotonicMs();
  const report = await withOwnDaemon(call, isUnit, () => applyPlan({ ...input, ...wait }, call));
  const exitCode = tellReport(report, call);
  if (call.isTalking && exitCode === exitCodes.ok) {
    const elapsed = durationText(host.clock.monotonicMs() - startedMs);
    const changed = hasChanges(report.changes);
    const how = wait.wait === false ? "asked for; colos ps shows how it goes" : `${stateCounts(report.instances)}`;
    call.print([
      changed ? `colos: ${how}, after ${elapsed}` : `colos: nothing changed; ${stateCounts(report.instances)}`,
    ]);
  }
  // systemd can neither stop nor start again a unit whose start failed while services of it run.
  return isUnit && exitCode === exitCodes.failed ? exitCodes.ok : exitCode;
}

async function applyPlan(input: PlanInput & WaitOptions, call: Call): Promise<ApplyReport> {
  const { plan, env, source } = input;
  const manager = await call.connect();
  if (call.isTalking) call.print(changeLines((await manager.preview({ plan, env, source })).changes, call.colour));
  const alone = input.plan.services.filter(({ carrier }) => carrier === "thread" || carrier === "coroutine");
  if (call.isTalking && alone.length > 0) {
    const names = alone.map(({ name }) => name).join(", ");
    call.print([
      `colos: under a daemon each service has OS processes of its own, also ${names}; their processes do not find each other by name`,
    ]);
  }
  const names = input.plan.services.map(({ name, instances }) => instanceName(name, instances));
  const options = { goal: "ready" as const, showsUnchanged: false, names };
  return withProgress(call, options, () => manager.apply(input));
}

/** Asks a daemon, which is started when there is none. The same plan may be applied twice, so who is lost meanwhile is asked again. */
async function withOwnDaemon<T>(call: Call, isUnit: boolean, work: () => Promise<T>): Promise<T> {
  let isOwn = false;
  for (let triesLeft = triesMax - 1; ; triesLeft--) {
    // One that its heart has put in the place of ours is ours too.
    isOwn = (await ensureDaemon(call, isUnit)) || isOwn;
    try {
      return await work();
    } catch (error) {
      if (triesLeft > 0 && isGone(error)) continue;
      if (isOwn) await endUnused(call);
      throw error;
    }
  }
}

/** Somebody else's daemon that was given nothing has ended before it could be given this. */
function isGone(error: unknown): boolean {
  const isEnding = error instanceof ManagerError && error.code === "ending";
  return isEnding || error instanceof DaemonAbsentError || error instanceof ConnectionLostError;
}

async function endUnused(call: Call): Promise<void> {
  try {
    const ended = await call.host.watchEnd(call.home);
    await (await call.connect()).down({ ifUnused: true });
    await ended();
    if (call.isTalking) call.print(["colos: the daemon has ended again, as it was given nothing to do"]);
  } catch {
    // Somebody has given it something, or it is gone; what there is to say is why the config was refused.
  }
}

/** Whether it was started here. */
async function ensureDaemon(call: Call, isUnit: boolean): Promise<boolean> {
  const { host, home } = call;
  try {
    const manager = await call.connect();
    const { daemon } = await manager.list();
    if (!isUnit || !(await host.isDaemonElsewhere(daemon.osPid))) return false;
    await manager.handOver();
    await host.startDaemon(home, daemon.osPid, "here");
    if (call.isTalking) call.print([`colos: the daemon in ${home} runs in this unit now; no service was touched`]);
    return false;
  } catch (error) {
    if (!(error instanceof DaemonAbsentError)) throw error;
    await host.startDaemon(home);
    if (call.isTalking) call.print([`colos: started a daemon in ${home}`]);
    return true;
  }
}

/** `3 ready, 1 scheduled`; what is not in the best state is never left out. */
function stateCounts(instances: readonly InstanceStatus[]): string {
  const counts = new Map<InstanceState, number>();
  for (const { state } of instances) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts.size === 0 ? "no services" : [...counts].map(([state, count]) => `${count} ${state}`).join(", ");
}
