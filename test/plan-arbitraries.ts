/**
 * Plan arbitraries: configs that are right, with any of their fields, and the plans that they mean.
 *
 * @module
 */
import fc from "fast-check";
import type { SystemPlan } from "../src/control/config.ts";
import { parseConfig } from "../src/control/config-parser.ts";

const word = fc.stringMatching(/^[a-z]{1,6}$/);
const command = fc
  .tuple(
    word,
    fc.string({ maxLength: 4 }).map((text) => text.replaceAll("\0", "")),
  )
  .map((words) => [...words]);
const port = fc.integer({ min: 1, max: 65_535 });
const ms = fc.oneof(
  fc.integer({ min: 1, max: 100_000 }),
  fc.integer({ min: 1, max: 99 }).map((count) => `${count} s`),
);
const probe = fc.oneof(fc.record({ port }), fc.constant({ http: "http://localhost/" }), fc.record({ exec: command }));
const anyOf = <T>(entries: { readonly [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<Partial<T>> =>
  fc.record(entries, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>;

const common = {
  description: word,
  tags: fc.oneof(word, fc.uniqueArray(word, { maxLength: 3 })),
  autostart: fc.boolean(),
  env: fc.dictionary(word, fc.option(word)),
  envFiles: fc.array(word, { maxLength: 2 }),
  secrets: fc.dictionary(
    word.map((name) => name.toUpperCase()),
    fc.oneof(fc.record({ file: word }), fc.record({ exec: command })),
  ),
  cwd: word,
  successCodes: fc.uniqueArray(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 3 }),
  shutdown: fc.oneof(fc.constantFrom("brutal", "infinity"), ms),
  maxRestarts: fc.nat({ max: 9 }),
  periodMs: ms,
  backoff: anyOf({ initialMs: fc.nat(50), factor: fc.integer({ min: 1, max: 9 }) }),
  exhausted: fc.oneof(fc.constant({ policy: "failed" }), fc.record({ retryEveryMs: ms, hook: command })),
  onCrash: command,
  watch: fc.record({ paths: fc.array(word, { minLength: 1, maxLength: 2 }) }),
  drainMs: ms,
  logs: anyOf({ sizeBytes: fc.constantFrom("1 MiB", 5000), forward: fc.constantFrom("stdout", "journald") }),
};
const ownOsProcess = {
  stdin: fc.constantFrom("pipe", "null"),
  stopSignal: fc.constantFrom("SIGTERM", "SIGINT"),
  user: fc.oneof(word, fc.nat(1000)),
  nice: fc.integer({ min: -20, max: 19 }),
  limits: anyOf({ memoryBytes: fc.constantFrom("64 MiB", 2_000_000), cpuPercent: fc.integer({ min: 1, max: 400 }) }),
};
const lasting = {
  instances: fc.integer({ min: 1, max: 4 }),
  restart: fc.constantFrom("permanent", "transient", "temporary"),
};
/** Of a command that is started again whenever it ends. */
const standingBy = { standby: fc.boolean(), restart: fc.constantFrom("permanent", "transient") };

const service = fc.oneof(
  fc
    .record({ command, rest: anyOf({ ...common, ...ownOsProcess, ...lasting }), ready: probe, live: probe })
    .map(({ command, rest, ready, live }) => ({ command, ...rest, ready, live })),
  fc
    .record({ command, rest: anyOf({ ...common, ...ownOsProcess, ...standingBy }) })
    .map(({ command, rest }) => ({ command, ...rest })),
  fc
    .record({ program: word.map((name) => `${name}.ts`), rest: anyOf({ ...common, ...lasting }) })
    .map(({ program, rest }) => ({ program, carrier: "thread", ...rest, ready: { call: "ping" } })),
  fc
    .record({ command, rest: anyOf({ ...common, ...ownOsProcess }), everyMs: fc.integer({ min: 1000, max: 9000 }) })
    .map(({ command, rest, everyMs }) => ({ command, ...rest, schedule: { everyMs } })),
);

/** A right config of up to five services, each of which may depend on lasting ones with a lower number. */
export const configs: fc.Arbitrary<{ readonly services: Readonly<Record<string, Record<string, unknown>>> }> = fc
  .array(fc.tuple(service, fc.array(fc.nat(4), { maxLength: 2 })), { minLength: 1, maxLength: 5 })
  .map((written) => {
    const isJob = (at: number): boolean => "schedule" in written[at]![0];
    const services = written.map(([fields, edges], at) => {
      const dependsOn = edges.filter((edge) => edge < at && !isJob(edge)).map((edge) => `s-${edge}`);
      return [`s-${at}`, { ...fields, dependsOn }] as const;
    });
    return { services: Object.fromEntries(services) };
  });

/** The plan of a right config. */
export function planOf(config: unknown): SystemPlan {
  const result = parseConfig(config, {
    source: "config",
    directory: "/shop",
    resolve: (directory, path) => (path.startsWith("/") ? path : `${directory}/${path}`),
  });
  if ("problems" in result) throw new Error(result.problems.map(({ message }) => message).join("\n"));
  return result.plan;
}

export const plans: fc.Arbitrary<SystemPlan> = configs.map((config) => planOf(config));
