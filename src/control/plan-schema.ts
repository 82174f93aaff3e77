/**
 * Plan schema: what a `SystemPlan` looks like that comes from outside, over a socket or from a file of the state.
 *
 * Guarantees: strict and bounded: unknown keys, relative paths, values out of their limits and lists beyond `listMax` are
 * refused; what passes is a `SystemPlan` as `parseConfig` makes them. Every plan of `parseConfig` passes.
 * Not here: rules across services (plan-check.ts), what a person writes (config-schema.ts).
 *
 * @module
 */
import * as v from "valibot";
import { exactOptional } from "valibot"; // taking it out of `v` would keep all of it in the build
import type { LivePlan, ProbePlan, ReadyPlan, SchedulePlan, ServicePlan, SystemPlan } from "./config.ts";
import {
  backoffFactorMax,
  carrierNames,
  conditionNames,
  descriptionMax,
  endPolicyNames,
  envFilesMax,
  exhaustedNames,
  failuresMaxMax,
  forwardNames,
  instancesMax,
  isServiceName,
  limitBounds,
  logBytes,
  missedNames,
  overlapNames,
  readyFd,
  readyLineCharsMax,
  restartNames,
  restartsMax,
  scheduleEveryMsMin,
  servicesMax,
  stdinNames,
  tagsMax,
  userIdMax,
  watchEntriesMax,
} from "./config-limit.ts";
import { parseCron } from "./cron.ts";
import { timeZoneProblem } from "./time-zone.ts";
import {
  argument,
  command,
  httpUrl,
  ip,
  isPlainObject,
  keys,
  listOf,
  milliseconds,
  named,
  notEmptyText,
  numberBetween,
  oneOf,
  port,
  type Schema,
  stopSignal,
  secretNameProblem,
  variableNameProblem,
  variables,
  wholeNumber,
} from "./value-schema.ts";

/** A schema for each key of `T`, none left out; whether a key may be absent is the schema's. */
type EntriesOf<T> = { readonly [Key in keyof T]-?: Schema<Exclude<T[Key], undefined>> };

const name = v.pipe(v.string("the name of a service"), v.check(isServiceName, "the name of a service"));
const absolutePath = v.pipe(
  notEmptyText("an absolute path"),
  v.check((path) => /^(?:[A-Za-z]:)?[\\/]/.test(path), "an absolute path"),
);
const timeoutMs = milliseconds(1);
const text = notEmptyText("text");

const readyLine = v.pipe(text, v.maxLength(readyLineCharsMax, `text of at most ${readyLineCharsMax} characters`));

const portProbe = keys({ kind: v.literal("port"), port, host: text, timeoutMs });
const httpProbe = keys({ kind: v.literal("http"), url: httpUrl, timeoutMs });
const execProbe = keys({ kind: v.literal("exec"), command, timeoutMs });
const probe: Schema<ProbePlan> = v.variant("kind", [portProbe, httpProbe, execProbe], "a probe");
const ready: Schema<ReadyPlan> = v.variant(
  "kind",
  [
    keys({ kind: v.literal("none") }),
    portProbe,
    httpProbe,
    execProbe,
    keys({ kind: v.literal("log"), pattern: readyLine, timeoutMs }),
    keys({ kind: v.literal("fd"), fd: wholeNumber(readyFd.least, readyFd.most), timeoutMs }),
    keys({ kind: v.literal("notify"), timeoutMs }),
    keys({ kind: v.literal("call"), request: text, timeoutMs }),
  ],
  "a readiness check",
);
const live: Schema<LivePlan> = keys({
  probe,
  everyMs: milliseconds(1),
  failuresMax: wholeNumber(1, failuresMaxMax),
} satisfies EntriesOf<LivePlan>);

const secret = v.union(
  [
    keys({ file: absolutePath }),
    keys({
      env: v.pipe(
        text,
        v.check((variable) => variableNameProblem(variable) === undefined, "the name of a variable"),
      ),
    }),
    keys({ exec: command }),
  ],
  "one of { file }, { env } and { exec }",
);

const cron = v.pipe(
  text,
  v.check((expression) => !("problem" in parseCron(expression)), "a cron expression"),
);
const schedule = keys({
  when: v.variant(
    "kind",
    [
      keys({ kind: v.literal("cron"), expression: cron }),
      keys({ kind: v.literal("every"), everyMs: milliseconds(scheduleEveryMsMin) }),
    ],
    "a time",
  ),
  timeZone: exactOptional(
    v.pipe(
      text,
      v.check((zone) => timeZoneProblem(zone) === undefined, "a time zone that is known here"),
    ),
  ),
  overlap: oneOf(overlapNames),
  missed: oneOf(missedNames),
} satisfies EntriesOf<SchedulePlan>);

const user: Schema<string | number> = v.union(
  [text, wholeNumber(0, userIdMax)],
  "the name or number of a user or group",
);

const serviceEntries = {
  name,
  description: exactOptional(v.pipe(text, v.maxLength(descriptionMax, "a short text"))),
  tags: exactOptional(
    listOf(v.pipe(v.string("a tag"), v.check(isServiceName, "a tag")), `a list of 1 to ${tagsMax} tags`, 1, tagsMax),
  ),
  run: v.variant(
    "kind",
    [
      keys({ kind: v.literal("program"), file: absolutePath, args: listOf(argument, "a list of texts") }),
      keys({ kind: v.literal("command"), command }),
    ],
    "a program or a command",
  ),
  carrier: oneOf(carrierNames),
  instances: wholeNumber(1, instancesMax),
  autostart: v.boolean("true or false"),
  listenPort: exactOptional(port),
  listenHost: exactOptional(ip),
  env: variables,
  envFiles: listOf(absolutePath, "a list of absolute paths", 0, envFilesMax),
  secrets: named("an object of secrets", secret, secretNameProblem),
  cwd: absolutePath,
  stdin: oneOf(stdinNames),
  restart: oneOf(restartNames),
  successCodes: listOf(wholeNumber(0, 255), "a list of exit codes", 1, 256),
  stopSignal,
  shutdown: v.union(
    [v.literal("brutal"), v.literal("infinity"), milliseconds(1)],
    "brutal, infinity or a number of milliseconds",
  ),
  maxRestarts: wholeNumber(0, restartsMax),
  periodMs: milliseconds(1),
  backoff: keys({
    initialMs: milliseconds(0),
    maxMs: milliseconds(0),
    factor: numberBetween(1, backoffFactorMax),
    jitter: numberBetween(0, 1),
    resetAfterMs: milliseconds(0),
  } satisfies EntriesOf<ServicePlan["backoff"]>),
  exhausted: keys({
    policy: oneOf(exhaustedNames),
    retryEveryMs: milliseconds(1),
    hook: exactOptional(command),
  } satisfies EntriesOf<ServicePlan["exhausted"]>),
  onCrash: exactOptional(command),
  ready,
  live: exactOptional(live),
  dependsOn: listOf(
    keys({ name, condition: oneOf(conditionNames), onEnd: oneOf(endPolicyNames) }),
    "a list of dependencies",
    0,
    servicesMax,
  ),
  schedule: exactOptional(schedule),
  watch: exactOptional(
    keys({
      paths: listOf(absolutePath, "a list of absolute paths", 1, watchEntriesMax),
      ignore: listOf(text, "a list of names and patterns", 0, watchEntriesMax),
      delayMs: milliseconds(0),
    } satisfies EntriesOf<NonNullable<ServicePlan["watch"]>>),
  ),
  standby: exactOptional(v.literal(true, "true")),
  drainMs: milliseconds(0),
  user: exactOptional(user),
  group: exactOptional(user),
  nice: exactOptional(wholeNumber(-20, 19)),
  limits: keys({
    memoryBytes: exactOptional(wholeNumber(limitBounds.memoryBytes.least, limitBounds.memoryBytes.most)),
    cpuPercent: exactOptional(numberBetween(limitBounds.cpuPercent.least, limitBounds.cpuPercent.most)),
    fdsMax: exactOptional(wholeNumber(limitBounds.fdsMax.least, limitBounds.fdsMax.most)),
    pidsMax: exactOptional(wholeNumber(limitBounds.pidsMax.least, limitBounds.pidsMax.most)),
  } satisfies EntriesOf<ServicePlan["limits"]>),
  logs: keys({
    sizeBytes: wholeNumber(logBytes.least, logBytes.most),
    ageMs: milliseconds(1),
    budgetBytes: wholeNumber(logBytes.least, logBytes.most),
    forward: exactOptional(oneOf(forwardNames)),
  } satisfies EntriesOf<ServicePlan["logs"]>),
} satisfies EntriesOf<ServicePlan>;

/** One service of a plan. */
export const servicePlanSchema: Schema<ServicePlan> = v.pipe(
  v.custom<Record<string, unknown>>(isPlainObject, "a service"),
  keys(serviceEntries),
);

/** A whole plan: its structure. `parsePlan` (plan-check.ts) checks what holds between its services too. */
export const systemPlanSchema: Schema<SystemPlan> = v.pipe(
  v.custom<Record<string, unknown>>(isPlainObject, "a plan"),
  keys({ services: listOf(servicePlanSchema, "a list of services", 0, servicesMax) } satisfies EntriesOf<SystemPlan>),
);
