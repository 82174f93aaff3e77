/**
 * Jobs: each of their times has one run, whatever became of the daemon, unless its policy leaves it out. Each other run takes longer
 * than it is to the next time.
 *
 * ```
 * ran <run> <ms>     it began at this time of day
 * over <run> <ms>    it is about to end
 * ```
 *
 * What must have a run is known by what the daemon answered: who takes an operation after the time of a job has written down before what
 * became of that time.
 *
 * @module
 */
import type { ScheduleConfig, ServiceConfig } from "../../../src/control/config.ts";
import type { Evidence, Fact, Part } from "./part.ts";
import { begin } from "./script.ts";

const everyMs = 5_000;
const minuteMs = 60_000;
/** How far a time of day is behind, and a timer, in milliseconds. */
const inaccuracyMs = 100;
/** A run that is over so shortly before a time may still be thought to run, in milliseconds: by a daemon that only begins, on a slow machine. */
const overMs = 3_000;
/** A run belongs to a time at most so long before it, beside the interval, in milliseconds: the daemon was away, or the machine is slow. */
const lateMsMax = 30_000;

const job = (schedule: ScheduleConfig): ServiceConfig => ({ command: ["sh", "job.sh"], schedule });

export const jobs: Part = {
  name: "each time of a job has one run",
  facts: ["ran", "over"],
  services: {
    skipper: job({ everyMs, overlap: "skip" }),
    queuer: job({ everyMs, overlap: "queue" }),
    replacer: job({ everyMs, overlap: "replace" }),
    minutely: job({ cron: "* * * * *", missed: "once" }),
  },
  scripts: {
    "job.sh": `${begin}
n=0
[ ! -e "$COLOS_SERVICE.count" ] || read -r n <"$COLOS_SERVICE.count"
n=$((n + 1))
echo $n >"$COLOS_SERVICE.count"
echo "ran $COLOS_RUN $(date +%s%3N)" >>facts
trap 'exit 0' TERM
if [ $((n % 2)) = 1 ]; then
  sleep 6 &
  wait $!
fi
trap : TERM
code=$((n % 100 + 1))
echo "code $COLOS_RUN $code" >>facts
echo "over $COLOS_RUN $(date +%s%3N)" >>facts
exit $code
`,
  },
  evidence: () => new JobEvidence(),
};

/** An operation that was taken, by the time of day. */
export interface Taken {
  readonly sentAt: number;
  readonly answeredAt: number;
}

interface JobRun {
  readonly run: string;
  readonly atMs: number;
  overAt: number;
}

export class JobEvidence implements Evidence {
  readonly problems: string[] = [];
  readonly #runs = new Map<string, JobRun[]>();

  take({ what, run, service, values: [at] }: Fact): void {
    const runs = this.#runs.get(service) ?? [];
    if (what === "ran") this.#runs.set(service, [...runs, { run, atMs: Number(at), overAt: Infinity }]);
    const ended = what === "over" ? runs.find((each) => each.run === run) : undefined;
    if (ended !== undefined) ended.overAt = Number(at);
  }

  pending(): readonly string[] {
    return [];
  }

  /** Holds the runs of each job against its times. `firstAt`: its first one. */
  settle(firstAt: ReadonlyMap<string, number>, taken: readonly Taken[], untilAt: number): void {
    for (const [service, first] of firstAt) {
      const periodMs = service === "minutely" ? minuteMs : everyMs;
      const times: number[] = [];
      for (let at = first; at <= untilAt; at += periodMs) times.push(at);
      const runs = this.#runs.get(service) ?? [];
      const isKnown = (at: number, beforeAt = at + periodMs): boolean => isWritten(taken, at, beforeAt);
      const isSkipped = (at: number): boolean =>
        service === "skipper" &&
        runs.some((run) => run.atMs < at - inaccuracyMs && isKnown(at, Math.min(run.overAt, at + periodMs)));
      const mayBeLeftOut = (at: number): boolean => runs.some((run) => leavesOut(service, run, at, periodMs));
      const free = times.filter((at) => !isSkipped(at));
      const without = this.#assign(service, runs, free, periodMs);
      const due = without.filter((at) => at + 2 * periodMs < untilAt && isKnown(at) && !mayBeLeftOut(at));
      for (const at of due) this.problems.push(`${service} has not run for its time ${at}`);
    }
  }

  /** Gives each run the latest time that is left, and returns the times that have none. */
  #assign(service: string, runs: readonly JobRun[], times: readonly number[], periodMs: number): readonly number[] {
    const free = new Set(times);
    for (const { run, atMs } of runs) {
      const earliest = atMs - lateMsMax - periodMs;
      const at = [...free].findLast((each) => each <= atMs + inaccuracyMs && each > earliest);
      if (at === undefined) this.problems.push(`${run} began at ${atMs}, and no time of ${service} is left for it`);
      else free.delete(at);
    }
    return [...free];
  }
}

/** Whether what became of this time was written down before that one. */
function isWritten(taken: readonly Taken[], at: number, beforeAt: number): boolean {
  return taken.some(({ sentAt, answeredAt }) => sentAt > at + inaccuracyMs && answeredAt < beforeAt);
}

/** Whether a time may have no run of its own because of this one; of several that wait for its end, one is made up for. */
function leavesOut(service: string, run: JobRun, at: number, periodMs: number): boolean {
  if (service === "skipper") return mayRunAt(run, at);
  return service === "queuer" && mayRunAt(run, at) && mayRunAt(run, at + periodMs);
}

/** Whether the daemon may think at this time that the run goes on. */
function mayRunAt({ atMs, overAt }: JobRun, at: number): boolean {
  return atMs < at && overAt + overMs > at;
}
