/**
 * Plan schema: what a `SystemPlan` looks like when it comes from outside, with a limit on everything.
 *
 * Guarantees: a plan that passes has every field of the type, and no other; each text and list is bounded. It is the
 * structure alone: `parseConfig` made the plan and has checked that it makes sense.
 *
 * @module
 */
import * as v from "valibot";
import type { ServicePlan, SystemPlan } from "./config.ts";
import { servicesMax, serviceNameMax } from "./config-parser.ts";
import {
  backoffFactorMax,
  carrierNames,
  durationMsMax,
  instancesMax,
  portMax,
  restartNames,
  restartsMax,
} from "./config-schema.ts";
import {
  command,
  flag,
  list,
  mapOf,
  numberFrom,
  oneOf,
  record,
  text,
  textLike,
  whole,
  type SchemaOf,
} from "./schema-parts.ts";

/** Characters of a path, an expression or another text of a plan; PATH_MAX of Linux. */
export const planTextMax = 4096;
/** Characters of one argument or one variable; Linux takes no longer one. */
export const wordMax = 131_071;
/** Words of a command. */
export const wordsMax = 4096;
/** Variables of an environment. */
export const variablesMax = 4096;
/** Items of a list that people write: dependencies, paths, codes. */
export const itemsMax = 1000;

const word = text(wordMax);
const path = text(planTextMax, 1);
const milliseconds = whole(0, durationMsMax);
const bytes = whole(0, Number.MAX_SAFE_INTEGER);
const argv = command(word, wordsMax);
const timeoutMs = milliseconds;

/** The name of a service. */
export const serviceName: SchemaOf<string> = textLike(
  /^[\w-]+$/,
  serviceNameMax,
  "the name of a service (A-Z, a-z, 0-9, _ and -)",
);

/** The name of an OS signal. */
export const osSignalName: SchemaOf<string> = textLike(/^SIG[A-Z][A-Z0-9]*$/, 16, "an OS signal such as SIGTERM");

/** Variables and their values. */
export const variables: SchemaOf<Record<string, string>> = mapOf(word, variablesMax, "an object of names and texts");

const probes = [
  record({ kind: v.literal("port"), port: whole(1, portMax), host: path, timeoutMs }),
  record({ kind: v.literal("http"), url: path, timeoutMs }),
  record({ kind: v.literal("exec"), command: argv, timeoutMs }),
] as const;

const ready = v.variant("kind", [
  record({ kind: v.literal("none") }),
  ...probes,
  record({ kind: v.literal("log"), pattern: path, timeoutMs }),
  record({ kind: v.literal("fd"), fd: whole(3, 9), timeoutMs }),
  record({ kind: v.literal("notify"), timeoutMs }),
  record({ kind: v.literal("call"), request: path, timeoutMs }),
]);

const secret = v.union(
  [record({ file: path }), record({ env: path }), record({ exec: argv })],
  "is no secret: write one of file, env and exec",
);

const dependency = record({
  name: serviceName,
  condition: oneOf(["started", "ready", "healthy", "exitedOk"]),
  onEnd: oneOf(["ignore", "stop", "restart"]),
});

const schedule = record({
  when: v.variant("kind", [
    record({ kind: v.literal("cron"), expression: path }),
    record({ kind: v.literal("every"), everyMs: whole(1, durationMsMax) }),
  ]),
  timeZone: v.exactOptional(path),
  overlap: oneOf(["skip", "queue", "replace"]),
  missed: oneOf(["skip", "once"]),
});

const backoff = record({
  initialMs: milliseconds,
  maxMs: milliseconds,
  factor: numberFrom(1, backoffFactorMax),
  jitter: numberFrom(0, 1),
  resetAfterMs: milliseconds,
});

const limits = record({
  memoryBytes: v.exactOptional(bytes),
  cpuPercent: v.exactOptional(numberFrom(0, 1_000_000)),
  fdsMax: v.exactOptional(whole(1, Number.MAX_SAFE_INTEGER)),
  pidsMax: v.exactOptional(whole(1, Number.MAX_SAFE_INTEGER)),
});

const owner = v.union([text(64, 1), whole(0, 4_294_967_294)], "is no name and no number of a user or group");

/** One service with everything decided. */
export const servicePlan: SchemaOf<ServicePlan> = record({
  name: serviceName,
  description: v.exactOptional(text(planTextMax)),
  run: v.variant("kind", [
    record({ kind: v.literal("program"), file: path, args: list(word, wordsMax) }),
    record({ kind: v.literal("command"), command: argv }),
  ]),
  carrier: oneOf(carrierNames),
  instances: whole(1, instancesMax),
  autostart: flag,
  listenPort: v.exactOptional(whole(1, portMax)),
  listenHost: v.exactOptional(path),
  env: mapOf(v.nullable(word), variablesMax, "an object of names and texts"),
  envFiles: list(path, itemsMax),
  secrets: mapOf(secret, variablesMax, "an object of names and secrets"),
  cwd: path,
  stdin: oneOf(["pipe", "null"]),
  restart: oneOf(restartNames),
  successCodes: list(whole(0, 255), 256),
  stopSignal: osSignalName,
  shutdown: v.union(
    [v.picklist(["brutal", "infinity"]), whole(1, durationMsMax)],
    "is not brutal, infinity or a number of milliseconds",
  ),
  maxRestarts: whole(0, restartsMax),
  periodMs: whole(1, durationMsMax),
  backoff,
  exhausted: record({
    policy: oneOf(["degraded", "failed"]),
    retryEveryMs: milliseconds,
    hook: v.exactOptional(argv),
  }),
  ready,
  live: v.exactOptional(
    record({ probe: v.variant("kind", probes), everyMs: whole(1, durationMsMax), failuresMax: whole(1, restartsMax) }),
  ),
  dependsOn: list(dependency, itemsMax),
  schedule: v.exactOptional(schedule),
  watch: v.exactOptional(record({ paths: list(path, itemsMax), ignore: list(path, itemsMax), delayMs: milliseconds })),
  drainMs: milliseconds,
  user: v.exactOptional(owner),
  group: v.exactOptional(owner),
  nice: v.exactOptional(whole(-20, 19)),
  limits,
  logs: record({
    sizeBytes: bytes,
    ageMs: whole(0, Number.MAX_SAFE_INTEGER),
    budgetBytes: bytes,
    forward: v.exactOptional(oneOf(["stdout", "journald"])),
  }),
});

/** A whole system with everything decided. */
export const systemPlan: SchemaOf<SystemPlan> = record({ services: list(servicePlan, servicesMax) });
