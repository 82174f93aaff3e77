/**
 * Config schema: what one service may look like when written, and the sentence for each way in which it does not.
 *
 * Guarantees: keys that are not in the schema are refused; a sentence says what was written and what belongs there. What
 * passes has sizes and durations as numbers.
 * Not here: rules across fields (service-rules.ts) and services (config-parser.ts), defaults (service-plan.ts).
 *
 * @module
 */
import * as v from "valibot";
import type { DependencyConfig, LimitsPlan, LogsPlan, SecretConfig, ServiceConfig, ServicePlan } from "./config.ts";
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
import { parseDuration, parseSize } from "./quantity.ts";
import {
  argument,
  checkValue,
  command,
  durationMsMax,
  httpUrl,
  ip,
  listOf,
  named,
  notEmptyText,
  numberBetween,
  object,
  oneOf,
  port,
  type Schema,
  shown,
  stopSignal,
  truthValue,
  type ValueProblem,
  secretNameProblem,
  variableNameProblem,
  variables,
  wholeNumber,
} from "./value-schema.ts";

/** The fields of `T`, each of which may be absent. */
export type Written<T> = { readonly [Key in keyof T]?: T[Key] | undefined };

/** A check as written, before it is known which kind it is. */
export type WrittenProbe = Written<{
  port: number;
  host: string;
  http: string;
  exec: readonly [string, ...string[]];
  timeoutMs: number;
}>;
export type WrittenReady = WrittenProbe & Written<{ log: string; fd: number; notify: true; call: string }>;
export type WrittenLive = WrittenProbe & Written<{ everyMs: number; failuresMax: number }>;
export type WrittenSchedule = Written<{
  cron: string;
  everyMs: number;
  timeZone: string;
  overlap: "skip" | "queue" | "replace";
  missed: "skip" | "once";
}>;

/** What a service has that is decided here. */
type Decided = Written<{
  ready: WrittenReady;
  live: WrittenLive;
  schedule: WrittenSchedule;
  backoff: Written<ServicePlan["backoff"]>;
  exhausted: Written<ServicePlan["exhausted"]>;
  watch: { readonly paths: readonly string[] } & Written<{ ignore: readonly string[]; delayMs: number }>;
  limits: Written<LimitsPlan>;
  logs: Written<LogsPlan>;
  shutdown: ServicePlan["shutdown"];
  periodMs: number;
  drainMs: number;
  dependsOn: readonly string[] | Readonly<Record<string, Written<DependencyConfig>>>;
}>;

/** A service whose fields are each right for themselves, with durations in milliseconds and sizes in bytes. */
export interface WrittenService extends Written<Omit<ServiceConfig, keyof Decided>>, Decided {}

/** Checks the shape of one service. Gives the service or every problem in it. */
export function checkServiceShape(value: unknown): { service: WrittenService } | { problems: ValueProblem[] } {
  const result = checkValue(service, value);
  return "problems" in result ? result : { service: result.value };
}

/** Numbers are taken as they are, texts by their unit. */
function quantity(
  what: string,
  parse: (text: string) => number | undefined,
  range: { readonly least: number; readonly most: number; readonly unit: string },
  example: string,
): Schema<number> {
  const { least, most, unit } = range;
  return v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const input = dataset.value;
      const read = typeof input === "string" ? parse(input) : input;
      if (typeof read === "number" && Number.isInteger(read) && read >= least && read <= most) return read;
      const number = `a whole number of ${what} from ${least} to ${most}`;
      if (typeof input !== "string") addIssue({ message: number });
      else if (read === undefined) addIssue({ message: `${number}, or a text such as ${example}` });
      else addIssue({ message: `from ${least} to ${most} ${unit}; it is ${String(read)} ${unit}` });
      return NEVER;
    }),
  );
}

const duration = (least: number, most: number = durationMsMax): Schema<number> =>
  quantity("milliseconds", parseDuration, { least, most, unit: "ms" }, '"30 s" or "7 days"');
const size = ({ least, most }: { readonly least: number; readonly most: number }): Schema<number> =>
  quantity("bytes", parseSize, { least, most, unit: "bytes" }, '"512 MiB" or "1 GB"');

const shutdownPhrase = `brutal, infinity or a whole number of milliseconds from 1 to ${durationMsMax}`;
const shutdown: Schema<ServicePlan["shutdown"]> = v.pipe(
  v.unknown(),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const input = dataset.value;
    if (input === "brutal" || input === "infinity") return input;
    const result = v.safeParse(duration(1), input);
    if (result.success) return result.output;
    addIssue({ message: `${shutdownPhrase}${typeof input === "string" ? ', or a text such as "30 s"' : ""}` });
    return NEVER;
  }),
);

const path = (what: string): Schema<string> => notEmptyText(`the path of a ${what}`);
const optional = <T>(schema: Schema<T>): v.OptionalSchema<Schema<T>, undefined> => v.optional(schema);

const probeEntries = {
  port: optional(port),
  host: optional(notEmptyText("a host name or address")),
  http: optional(httpUrl),
  exec: optional(commandWithAdvice()),
  timeoutMs: optional(duration(1)),
};
const readyLinePhrase = `text or /expression/flags, of at most ${readyLineCharsMax} characters`;
const readyLine = v.pipe(notEmptyText(readyLinePhrase), v.maxLength(readyLineCharsMax, readyLinePhrase));
const ready = object("an object such as { port: 8080 }", {
  ...probeEntries,
  log: optional(readyLine),
  fd: optional(wholeNumber(readyFd.least, readyFd.most)),
  notify: optional(v.literal(true, "true")),
  call: optional(notEmptyText("the name of a call")),
});
const live = object("an object such as { port: 8080 }", {
  ...probeEntries,
  everyMs: optional(duration(1)),
  failuresMax: optional(wholeNumber(1, failuresMaxMax)),
});

const schedule = object('an object such as { cron: "0 4 * * *" }', {
  cron: optional(notEmptyText('a cron expression such as "0 4 * * *"')),
  everyMs: optional(duration(scheduleEveryMsMin)),
  timeZone: optional(notEmptyText("a time zone such as Europe/Berlin")),
  overlap: optional(oneOf(overlapNames)),
  missed: optional(oneOf(missedNames)),
});

const secretKinds = ["file", "env", "exec"] as const;
const secret: Schema<SecretConfig> = v.pipe(
  // What was written may be the secret itself, so the sentence does not repeat it.
  object('is not an object such as { file: "secrets/password" }; the value itself does not stand in a config', {
    file: optional(path("file")),
    env: optional(
      v.pipe(
        notEmptyText("the name of a variable"),
        v.check((name) => variableNameProblem(name) === undefined, "the name of a variable"),
      ),
    ),
    exec: optional(commandWithAdvice()),
  }),
  v.check(
    (written) => secretKinds.filter((kind) => written[kind] !== undefined).length === 1,
    "is not one of file, env and exec",
  ),
  v.transform((written) => written as SecretConfig),
);

const dependency = object('an object such as { condition: "ready" }', {
  condition: optional(oneOf(conditionNames)),
  onEnd: optional(oneOf(endPolicyNames)),
});
const dependsOnPhrase = 'a list of names of services, or an object such as { db: { condition: "ready" } }';
const dependencyList = listOf(v.string("the name of a service"), dependsOnPhrase, 0, servicesMax);
const dependencyTable = named(dependsOnPhrase, dependency, () => undefined);

const userId = wholeNumber(0, userIdMax);
const userOrGroup = (what: string): Schema<string | number> =>
  v.custom<string | number>(
    (value) => v.is(userId, value) || (typeof value === "string" && /^[A-Za-z_][\w.-]{0,31}\$?$/.test(value)),
    `the name or the number of a ${what}`,
  );

const controlCharacter = /\p{Cc}/u;
const description = v.pipe(
  notEmptyText("a sentence"),
  v.check((text) => !controlCharacter.test(text), "a sentence on one line"),
  v.maxLength(descriptionMax, `a sentence of at most ${descriptionMax} characters`),
);

const tag = v.pipe(
  v.string("a tag such as backend"),
  v.check(isServiceName, (issue) =>
    issue.input.startsWith("@") && isServiceName(issue.input.slice(1))
      ? `a tag; write ${shown(issue.input.slice(1))}, the @ is for verbs`
      : "a tag such as backend: at most 64 letters, digits, - and _",
  ),
);
const tags = v.lazy((input): Schema<string | readonly string[]> =>
  typeof input === "string" ? tag : listOf(tag, `a tag such as backend, or a list of at most ${tagsMax}`, 0, tagsMax),
);

const serviceEntries = {
  program: optional(path("file")),
  command: optional(commandWithAdvice()),
  args: optional(listOf(argument, "a list of texts")),
  carrier: optional(oneOf(carrierNames)),
  description: optional(description),
  tags: optional(tags),
  instances: optional(wholeNumber(1, instancesMax)),
  autostart: optional(truthValue),
  listen: optional(port),
  listenHost: optional(ip),
  env: optional(variables),
  envFiles: optional(listOf(path("file"), "a list of paths of files", 0, envFilesMax)),
  secrets: optional(named("an object of variable names and where their values are", secret, secretNameProblem)),
  cwd: optional(path("folder")),
  stdin: optional(oneOf(stdinNames)),
  restart: optional(oneOf(restartNames)),
  successCodes: optional(listOf(wholeNumber(0, 255), "a list of exit codes such as [0]", 1, 256)),
  stopSignal: optional(stopSignal),
  shutdown: optional(shutdown),
  maxRestarts: optional(wholeNumber(0, restartsMax)),
  periodMs: optional(duration(1)),
  backoff: optional(
    object("an object such as { initialMs: 100 }", {
      initialMs: optional(duration(0)),
      maxMs: optional(duration(0)),
      factor: optional(numberBetween(1, backoffFactorMax)),
      jitter: optional(numberBetween(0, 1)),
      resetAfterMs: optional(duration(0)),
    }),
  ),
  exhausted: optional(
    object('an object such as { policy: "failed" }', {
      policy: optional(oneOf(exhaustedNames)),
      retryEveryMs: optional(duration(1)),
      hook: optional(commandWithAdvice()),
    }),
  ),
  onCrash: optional(commandWithAdvice()),
  ready: optional(ready),
  live: optional(live),
  dependsOn: optional(
    v.lazy((input): Schema<NonNullable<WrittenService["dependsOn"]>> =>
      Array.isArray(input) ? dependencyList : dependencyTable,
    ),
  ),
  schedule: optional(schedule),
  watch: optional(
    object('an object such as { paths: ["src"] }', {
      paths: listOf(path("file or folder"), "a list of paths of files and folders", 1, watchEntriesMax),
      ignore: optional(listOf(notEmptyText("a name or a pattern"), "a list of names and patterns", 0, watchEntriesMax)),
      delayMs: optional(duration(0)),
    }),
  ),
  standby: optional(truthValue),
  drainMs: optional(duration(0)),
  user: optional(userOrGroup("user")),
  group: optional(userOrGroup("group")),
  nice: optional(wholeNumber(-20, 19)),
  limits: optional(
    object('an object such as { memoryBytes: "512 MiB" }', {
      memoryBytes: optional(size(limitBounds.memoryBytes)),
      cpuPercent: optional(numberBetween(limitBounds.cpuPercent.least, limitBounds.cpuPercent.most)),
      fdsMax: optional(wholeNumber(limitBounds.fdsMax.least, limitBounds.fdsMax.most)),
      pidsMax: optional(wholeNumber(limitBounds.pidsMax.least, limitBounds.pidsMax.most)),
    }),
  ),
  logs: optional(
    object('an object such as { sizeBytes: "10 MiB" }', {
      sizeBytes: optional(size(logBytes)),
      ageMs: optional(duration(1)),
      budgetBytes: optional(size(logBytes)),
      forward: optional(oneOf(forwardNames)),
    }),
  ),
} satisfies Record<keyof ServiceConfig, unknown>;

const service: Schema<WrittenService> = object(
  'an object such as { command: ["nginx", "-g", "daemon off;"] }',
  serviceEntries,
  // `group` gives rights, and is not what any of these is about.
  { groups: "tags", namespace: "tags", namespaces: "tags", label: "tags", labels: "tags" },
);

/** A line of a shell is answered with its words. */
function commandWithAdvice(): Schema<readonly [string, ...string[]]> {
  return v.lazy((input): Schema<readonly [string, ...string[]]> => {
    if (typeof input !== "string" || input.trim() === "") return command;
    return v.custom<readonly [string, ...string[]]>(
      () => false,
      `a list of an executable and its arguments; write ${wordsOf(input)}`,
    );
  });
}

function wordsOf(line: string): string {
  const words = line.trim().slice(0, 60).split(/\s+/);
  return `[${words.map((word) => shown(word)).join(", ")}]`;
}
