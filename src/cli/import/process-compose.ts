/**
 * Process Compose: the `processes` of a process-compose.yaml as a config.
 *
 * Limits: templates (`vars`), `extends` and several files are left to the reader. Written from its documentation and schema.
 *
 * @module
 */
import type { DependencyConfig, ReadyConfig } from "../../control/config.ts";
import { isPlainObject } from "../../control/value-schema.ts";
import {
  asTag,
  Draft,
  type Handler,
  type Handlers,
  type ImportResult,
  importResult,
  noCounterpart,
  ServiceNames,
  usedElsewhere,
} from "./note.ts";
import { commandOfLine } from "./shell-words.ts";
import { isOn, millisecondsOf, numberOf, spanOf, textOf, textsOf, variablesOf } from "./values.ts";

/** What colos listens to while an exec or http probe is asked for. */
type Probe = { readonly http: string } | { readonly exec: readonly [string, ...string[]] };

/** What the value of a process-compose file means. `hasEnvFile`: a `.env` stands beside it. */
export function importProcessCompose(value: unknown, { hasEnvFile }: { readonly hasEnvFile: boolean }): ImportResult {
  const file = new Draft();
  const shared: Record<string, string> = {};
  const names = new ServiceNames();
  const written = isPlainObject(value) && isPlainObject(value["processes"]) ? value["processes"] : {};
  for (const name of Object.keys(written)) names.of(name);
  file.read(value, {
    ...fileHandlers,
    environment: (environment) => void Object.assign(shared, environmentOf(environment)),
  });
  const drafts = Object.entries(written).map(([name, process]) => {
    const draft = new Draft(names.of(name));
    draft.fields.restart = "temporary";
    if (hasEnvFile) draft.fields.envFiles = [".env"];
    if (Object.keys(shared).length > 0) draft.fields.env = { ...shared };
    draft.read(process, processHandlers(names, isPlainObject(process) ? process : {}));
    finish(draft);
    return draft;
  });
  return importResult(drafts, file.notes);
}

const fileHandlers: Handlers = {
  version: (_, draft) => draft.taken("is understood"),
  processes: (_, draft) => draft.taken("are the services below"),
  log_location: noCounterpart("colos keeps logs in its home; see colos logs"),
  log_level: noCounterpart("colos has no level of its own log"),
  log_length: noCounterpart("is the terminal's; colos logs shows as much as you ask for"),
  log_configuration: noCounterpart("write logs in each service for limits"),
  log_format: noCounterpart("is the terminal's"),
  shell: (_, draft) => draft.differs("commands that need a shell run by sh -c"),
  is_strict: (_, draft) => draft.taken("colos always refuses unknown keys"),
  is_tui_disabled: (_, draft) => draft.taken("colos up --plain does that"),
  disable_env_expansion: (_, draft) => draft.taken("colos expands nothing in a config"),
  vars: noCounterpart("colos has no templates; write a colos.config.ts that computes its values"),
  env_cmds: noCounterpart('write secrets: { NAME: { exec: ["…"] } } in the services that need them'),
  extends: noCounterpart("colos reads one config; write a colos.config.ts that imports the other one"),
};

function environmentOf(value: unknown): Record<string, string> {
  return Object.fromEntries([...variablesOf(value)].map(([name, text]) => [name, text ?? ""]));
}

function processHandlers(names: ServiceNames, process: Record<string, unknown>): Handlers {
  return {
    command: (value, draft) => setCommand(textOf(value) ?? "", draft),
    entrypoint: (value, draft) => {
      const words = textsOf(value);
      if (words.length > 0 && process["command"] === undefined) draft.fields.command = words as [string, ...string[]];
    },
    working_dir: (value, draft) => void (draft.fields.cwd = textOf(value) ?? "."),
    environment: (value, draft) => void (draft.fields.env = { ...draft.fields.env, ...environmentOf(value) }),
    description: (value, draft) => void (draft.fields.description = textOf(value)?.split("\n")[0] ?? ""),
    replicas: (value, draft) => void (draft.fields.instances = Math.max(1, numberOf(value) ?? 1)),
    disabled: (value, draft) => void (draft.fields.autostart = !isOn(value)),
    depends_on: (value, draft) => setDependencies(value, names, draft),
    availability: (value, draft) => draft.read(value, availability, { prefix: "availability." }),
    shutdown: (value, draft) => draft.read(value, shutdown, { prefix: "shutdown." }),
    readiness_probe: (value, draft) => setReady(value, draft),
    liveness_probe: (value, draft) => setLive(value, draft),
    ready_log_line: (value, draft) => void (draft.fields.ready = { log: textOf(value) ?? "" }),
    schedule: (value, draft) => setSchedule(value, draft),
    is_daemon: (value, draft) => {
      if (isOn(value)) draft.none("colos keeps what it starts in the foreground; give the program its option for that");
    },
    launch_timeout_seconds: noCounterpart("belongs to is_daemon"),
    is_elevated: noCounterpart("run colos as root and write user in the services that need less"),
    is_tty: noCounterpart("services have no terminal; their output goes to the log"),
    is_interactive: noCounterpart("use colos attach"),
    is_foreground: (_, draft) => {
      draft.fields.autostart = false;
      draft.differs("does not start by itself; start it with colos start, or run it with colos run");
    },
    log_location: noCounterpart("colos keeps the output of each instance in its home; see colos logs"),
    log_configuration: noCounterpart("write logs for limits"),
    disable_ansi_colors: noCounterpart("set NO_COLOR in env when the program honours it"),
    namespace: asTag("default"),
    vars: noCounterpart("colos has no templates"),
    is_template_disabled: usedElsewhere,
  };
}

function setCommand(line: string, draft: Draft): void {
  const run = commandOfLine(line);
  if (run === undefined) return draft.none("is empty");
  draft.fields.command = run.command;
  if (run.shellFor === undefined) return draft.taken(`runs as ${JSON.stringify(run.command)}`);
  return draft.differs(`has ${run.shellFor}, so it runs by sh -c; write the words of a command to do without`);
}

const conditions: Readonly<Record<string, DependencyConfig["condition"]>> = {
  process_started: "started",
  process_healthy: "ready",
  process_log_ready: "ready",
  process_completed_successfully: "exitedOk",
};

function setDependencies(value: unknown, names: ServiceNames, draft: Draft): void {
  const entries = Object.entries(isPlainObject(value) ? value : {}).map(([name, written]) => {
    const condition = textOf(isPlainObject(written) ? written["condition"] : undefined) ?? "process_started";
    if (condition === "process_completed") {
      draft.differs("process_completed also takes a failed end; exitedOk does not", `depends_on.${name}`);
    }
    return [names.of(name), { condition: conditions[condition] ?? "exitedOk" }] as const;
  });
  draft.fields.dependsOn = Object.fromEntries(entries);
}

const availability: Handlers = {
  restart: (value, draft) => {
    const policies: Readonly<Record<string, "permanent" | "transient" | "temporary">> = {
      always: "permanent",
      on_failure: "transient",
      exit_on_failure: "temporary",
      no: "temporary",
    };
    draft.fields.restart = policies[textOf(value) ?? "no"] ?? "temporary";
    if (value === "exit_on_failure") draft.differs("a failure does not end the other services");
  },
  backoff_seconds: (value, draft) => {
    const delayMs = millisecondsOf(value, 1000) ?? 1000;
    draft.fields.backoff = { initialMs: delayMs, maxMs: delayMs, factor: 1, jitter: 0 };
  },
  max_restarts: (value, draft) => {
    const count = numberOf(value) ?? 0;
    if (count === 0)
      return draft.differs("stands for no limit; colos allows 5 restarts in 30 s, and then goes on slowly");
    draft.fields.maxRestarts = count;
    draft.fields.exhausted = { policy: "failed" };
    return draft.differs("counts within periodMs (30 s), not for ever");
  },
  exit_on_end: (value, draft) => {
    if (isOn(value)) draft.none("the end of one service does not end the system; run it with colos run instead");
  },
  exit_on_skipped: (value, draft) => {
    if (isOn(value))
      draft.none("a service that cannot start does not end the system; colos up says so and exits with 1");
  },
};

/** What numbers mean on Linux. */
const signals: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  3: "SIGQUIT",
  10: "SIGUSR1",
  12: "SIGUSR2",
  15: "SIGTERM",
};

const shutdown: Handlers = {
  timeout_seconds: (value, draft) => {
    if (draft.fields.shutdown !== "brutal") draft.fields.shutdown = millisecondsOf(value, 1000) ?? 10_000;
  },
  signal: (value, draft) => {
    const number = numberOf(value) ?? 15;
    if (number === 9) draft.fields.shutdown = "brutal";
    else if (signals[number] === undefined)
      draft.none(`OS signal ${number} is not one to end a service with; write stopSignal`);
    else draft.fields.stopSignal = signals[number];
  },
  command: noCounterpart("colos sends the stop signal; let a script that is the service trap it and run the command"),
  parent_only: (value, draft) => {
    if (isOn(value)) draft.differs("colos ends the whole process group");
  },
};

function probeOf(value: unknown, draft: Draft): Probe | undefined {
  const { exec, http_get: http } = isPlainObject(value) ? value : {};
  if (isPlainObject(exec)) {
    const run = commandOfLine(textOf(exec["command"]) ?? "");
    if (exec["working_dir"] !== undefined) draft.differs("runs in the folder of the service");
    return run === undefined ? undefined : { exec: run.command };
  }
  if (!isPlainObject(http)) return undefined;
  const host = textOf(http["host"]) ?? "127.0.0.1";
  const port = textOf(http["port"] ?? http["num_port"]) ?? "80";
  return { http: `${textOf(http["scheme"]) ?? "http"}://${host}:${port}${textOf(http["path"]) ?? "/"}` };
}

/** How long a probe may fail before it counts, in milliseconds. */
function patienceOf(value: unknown): number {
  const {
    initial_delay_seconds: delay,
    period_seconds: period,
    failure_threshold: failures,
  } = isPlainObject(value) ? value : {};
  return Math.max(1000, ((numberOf(delay) ?? 0) + (numberOf(period) ?? 10) * (numberOf(failures) ?? 3)) * 1000);
}

function setReady(value: unknown, draft: Draft): void {
  const probe = probeOf(value, draft);
  if (probe === undefined) return draft.none("has neither exec nor http_get");
  draft.fields.ready = { ...probe, timeoutMs: patienceOf(value) } satisfies ReadyConfig;
  return draft.differs("colos asks until it passes, for the time of all the tries; a first pass is enough");
}

function setLive(value: unknown, draft: Draft): void {
  const probe = probeOf(value, draft);
  if (probe === undefined || !isPlainObject(value)) return draft.none("has neither exec nor http_get");
  draft.fields.live = {
    ...probe,
    everyMs: millisecondsOf(value["period_seconds"], 1000) ?? 10_000,
    timeoutMs: millisecondsOf(value["timeout_seconds"], 1000) ?? 1000,
    failuresMax: Math.max(1, numberOf(value["failure_threshold"]) ?? 3),
  };
  return undefined;
}

const setSchedule: Handler = (value, draft) => {
  const {
    cron,
    timezone,
    interval,
    run_on_start: atStart,
    max_concurrent: concurrent,
  } = isPlainObject(value) ? value : {};
  const timeZone = textOf(timezone);
  const everyMs = spanOf(interval);
  if (typeof cron === "string") draft.fields.schedule = { cron, ...(timeZone === undefined ? {} : { timeZone }) };
  else if (everyMs !== undefined) draft.fields.schedule = { everyMs: Math.max(1000, everyMs) };
  else return draft.none("has no times");
  if (isOn(atStart)) draft.none("start it with colos start besides", "schedule.run_on_start");
  if ((numberOf(concurrent) ?? 1) > 1)
    draft.none("a job runs once at a time; write overlap", "schedule.max_concurrent");
  return undefined;
};

/** What only fits together when all keys are known. */
function finish(draft: Draft): void {
  const { fields } = draft;
  if (fields.schedule !== undefined && fields.restart === "permanent") {
    fields.restart = "transient";
    draft.differs("a job rests when it has ended, so only failures are repeated", "availability.restart");
  }
  if (fields.live !== undefined && fields.ready === undefined) {
    const { everyMs: _, failuresMax: __, timeoutMs: ___, ...probe } = fields.live;
    fields.ready = probe;
    draft.differs(
      "is the readiness check too, since colos does not look at a service that is still starting",
      "liveness_probe",
    );
  }
}
