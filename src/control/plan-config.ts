/**
 * Plan config: a plan in the form in which a person would have written it.
 *
 * Guarantees: `parseConfig` of the result gives the same plan again, for every plan that `parseConfig` made. What can be left
 * out for some carriers is left out when it is the default.
 *
 * @module
 */
import type { LiveConfig, ProbeConfig, ProbePlan, ReadyConfig, ServiceConfig, ServicePlan } from "./config.ts";
import type { SystemConfig, SystemPlan } from "./config.ts";
import { serviceDefaults } from "./service-plan.ts";

/** The config that means `plan`. */
export function writtenConfig(plan: SystemPlan): SystemConfig {
  return { services: Object.fromEntries(plan.services.map((service) => [service.name, writtenService(service)])) };
}

function writtenService(plan: ServicePlan): ServiceConfig {
  const {
    name: _,
    run,
    listenPort,
    exhausted,
    ready,
    live,
    dependsOn,
    schedule,
    limits,
    stdin,
    stopSignal,
    ...same
  } = plan;
  return {
    ...same,
    ...(run.kind === "command" ? { command: run.command } : { program: run.file, args: run.args }),
    ...(listenPort === undefined ? {} : { listen: listenPort }),
    ...(stdin === "pipe" ? {} : { stdin }),
    ...(stopSignal === serviceDefaults.stopSignal ? {} : { stopSignal }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    exhausted: writtenExhausted(exhausted),
    ...(ready.kind === "none" ? {} : { ready: writtenReady(ready) }),
    ...(live === undefined ? {} : { live: writtenLive(live) }),
    dependsOn: Object.fromEntries(dependsOn.map(({ name, ...more }) => [name, more])),
    ...(schedule === undefined ? {} : { schedule: writtenSchedule(schedule) }),
  };
}

function writtenExhausted({
  retryEveryMs,
  ...exhausted
}: ServicePlan["exhausted"]): ServiceConfig["exhausted"] & object {
  return exhausted.policy === "failed" ? exhausted : { ...exhausted, retryEveryMs };
}

function writtenReady(ready: Exclude<ServicePlan["ready"], { kind: "none" }>): ReadyConfig {
  const { timeoutMs } = ready;
  switch (ready.kind) {
    case "log":
      return { log: ready.pattern, timeoutMs };
    case "fd":
      return { fd: ready.fd, timeoutMs };
    case "notify":
      return { notify: true, timeoutMs };
    case "call":
      return { call: ready.request, timeoutMs };
    default:
      return writtenProbe(ready);
  }
}

function writtenLive({ probe, ...more }: NonNullable<ServicePlan["live"]>): LiveConfig {
  return { ...writtenProbe(probe), ...more };
}

function writtenProbe(probe: ProbePlan): ProbeConfig {
  const { timeoutMs } = probe;
  switch (probe.kind) {
    case "port":
      return { port: probe.port, host: probe.host, timeoutMs };
    case "http":
      return { http: probe.url, timeoutMs };
    case "exec":
      return { exec: probe.command, timeoutMs };
  }
}

function writtenSchedule({
  when,
  ...more
}: NonNullable<ServicePlan["schedule"]>): NonNullable<ServiceConfig["schedule"]> {
  return when.kind === "cron" ? { cron: when.expression, ...more } : { everyMs: when.everyMs, ...more };
}
