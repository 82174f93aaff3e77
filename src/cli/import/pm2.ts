/**
 * PM2: an ecosystem file (`apps`) as a config.
 *
 * Limit: `deploy` and what belongs to PM2's web service are left out. Written from PM2's documentation.
 *
 * @module
 */
import { isPlainObject } from "../../control/value-schema.ts";
import {
  asTag,
  Draft,
  type Fields,
  type Handlers,
  type ImportNote,
  type ImportResult,
  importResult,
  noCounterpart,
  ServiceNames,
  usedElsewhere,
} from "./note.ts";
import { commandOfLine } from "./shell-words.ts";
import { bytesOf, isOn, millisecondsOf, numberOf, spanOf, textOf, textsOf, variablesOf } from "./values.ts";

/** Where an import takes place. */
export interface Pm2Options {
  /** Which `env_<name>` is laid over `env`. */
  readonly env?: string;
  /** CPUs of this machine, for `instances: "max"`. */
  readonly cpus: number;
}

/** Milliseconds between the stop signal and SIGKILL when PM2's file does not say. */
const killTimeoutMs = 1600;

/** What the value of an ecosystem file, already loaded, means. */
export function importPm2(value: unknown, options: Pm2Options): ImportResult {
  const notes: ImportNote[] = [];
  const apps = appsOf(value);
  if (isPlainObject(value) && value["deploy"] !== undefined) {
    notes.push({ kind: "none", key: "deploy", sentence: "colos does not deploy; keep a script for it" });
  }
  const names = new ServiceNames();
  const drafts = apps.map((app, at) => appDraft(app, names.fresh(nameOf(app, at)), options));
  return importResult(drafts, notes);
}

function appsOf(value: unknown): readonly Record<string, unknown>[] {
  const apps = isPlainObject(value) && value["apps"] !== undefined ? value["apps"] : value;
  const list: readonly unknown[] = Array.isArray(apps) ? apps : [apps];
  return list.filter((app) => isPlainObject(app));
}

function nameOf(app: Record<string, unknown>, at: number): string {
  const script = textOf(app["script"] ?? app["exec"]) ?? `app-${at + 1}`;
  return textOf(app["name"]) ?? script.replace(/^.*\//, "").replace(/\.[^.]+$/, "");
}

function appDraft(app: Record<string, unknown>, name: string, options: Pm2Options): Draft {
  const draft = new Draft(name);
  const run = runOf(app);
  if (run === undefined) draft.none("is missing, so there is nothing to run; write command", "script");
  else Object.assign(draft.fields, run);
  draft.fields.stopSignal = "SIGINT";
  draft.taken("PM2 stops with SIGINT, so the service keeps that", "stopSignal");
  const env = envOf(app, options.env);
  if (env !== undefined) draft.fields.env = env;
  draft.read(app, handlersFor(options, app["autorestart"] === false), {
    others: (key) => otherHandler(key, options.env),
  });
  if (app["kill_timeout"] === undefined) {
    draft.differs(
      `PM2 kills after ${killTimeoutMs} ms, colos after 5000 ms; write shutdown for another time`,
      "kill_timeout",
    );
  }
  restartLimits(app, draft);
  return draft;
}

/** What runs a file of each kind unless `interpreter` says otherwise. */
const interpreters: Readonly<Record<string, string>> = {
  js: "node",
  cjs: "node",
  mjs: "node",
  py: "python3",
  sh: "bash",
  rb: "ruby",
  pl: "perl",
  php: "php",
};

function runOf(app: Record<string, unknown>): Pick<Fields, "command" | "program" | "args"> | undefined {
  const [script, ...scriptArgs] = wordsOf(app["script"] ?? app["exec"]);
  if (script === undefined || script === "") return undefined;
  const interpreterArgs = wordsOf(app["node_args"] ?? app["interpreter_args"] ?? app["node_arguments"]);
  const args = [...scriptArgs, ...wordsOf(app["args"])];
  const chosen = textOf(app["interpreter"] ?? app["exec_interpreter"]);
  const extension = /\.(\w+)$/.exec(script)?.[1] ?? "";
  const interpreter = chosen === "none" ? undefined : (chosen ?? interpreters[extension]);
  if (interpreter !== undefined) return { command: [interpreter, ...interpreterArgs, script, ...args] };
  if (chosen !== "none" && /^[cm]?ts$/.test(extension)) {
    const folder = textOf(app["cwd"]);
    return { program: folder === undefined || script.startsWith("/") ? script : `${folder}/${script}`, args };
  }
  return { command: [script, ...args] };
}

function runText({ command, program }: Fields): string {
  return command === undefined ? `runs as the program ${program}` : `runs as ${JSON.stringify(command)}`;
}

function wordsOf(value: unknown): string[] {
  if (Array.isArray(value)) return textsOf(value);
  const line = textOf(value);
  if (line === undefined) return [];
  const split = commandOfLine(line);
  return split === undefined || split.shellFor !== undefined ? line.split(/\s+/) : [...split.command];
}

const ownLogs = noCounterpart(
  "colos keeps the output of each instance in its home; see colos logs, and logs for limits",
);
const notNeeded = noCounterpart("is not needed; leave it out");

function handlersFor({ cpus }: Pm2Options, isJob: boolean): Handlers {
  const handlers: Handlers = {
    name: (value, draft) => {
      if (value !== draft.name) draft.differs(`the service is called ${draft.name}, for its name is part of paths`);
    },
    script: (_, draft) => draft.taken(runText(draft.fields)),
    exec: (_, draft) => draft.taken(runText(draft.fields)),
    args: usedElsewhere,
    interpreter: usedElsewhere,
    exec_interpreter: usedElsewhere,
    node_args: usedElsewhere,
    node_arguments: usedElsewhere,
    interpreter_args: usedElsewhere,
    cwd: (value, draft) => void (draft.fields.cwd = textOf(value) ?? "."),
    env: usedElsewhere,
    max_restarts: usedElsewhere,
    min_uptime: usedElsewhere,
    instances: (value, draft) => {
      const count = value === "max" ? 0 : (numberOf(value) ?? 1);
      draft.fields.instances = Math.max(1, count > 0 ? count : cpus + count);
      if (count <= 0)
        draft.differs(`stands for the CPUs of the machine; ${draft.fields.instances} is what it means on this one`);
    },
    exec_mode: (value, draft) => {
      if (textOf(value)?.startsWith("cluster") !== true)
        return draft.taken("one OS process for each instance, as here");
      return draft.differs(
        "instances share no port by themselves; write listen with the port, and let the server listen on listenOptions()",
      );
    },
    wait_ready: (value, draft) => {
      if (!isOn(value)) return draft.taken("counts as ready when it runs, as here");
      return draft.none(
        'there is no process.send in a service, so guard the call; write ready, such as { port: 8080 } or { log: "listening" }',
      );
    },
    listen_timeout: noCounterpart("belongs to ready in colos, as timeoutMs"),
    kill_timeout: (value, draft) => void (draft.fields.shutdown = millisecondsOf(value, 1) ?? killTimeoutMs),
    shutdown_with_message: noCounterpart("colos sends the stop signal; let the program listen for it"),
    max_memory_restart: (value, draft) => {
      const memoryBytes = bytesOf(value);
      if (memoryBytes === undefined) return draft.none('is not a size; write limits: { memoryBytes: "300 MiB" }');
      draft.fields.limits = { ...draft.fields.limits, memoryBytes: Math.max(memoryBytes, 1_048_576) };
      return draft.differs("PM2 looks at one OS process now and then; colos limits the whole tree of the instance");
    },
    cron_restart: (value, draft) => {
      if (value === 0 || value === "0") return draft.taken("is off");
      if (isJob) {
        draft.fields.schedule = { cron: textOf(value) ?? "" };
        return draft.differs("makes it a job, which does not run before its first time");
      }
      return draft.none(
        `write a job with schedule: { cron: ${JSON.stringify(value)} } that runs colos restart ${draft.name}`,
      );
    },
    watch: (value, draft) => {
      if (!isOn(value) && !Array.isArray(value) && !(typeof value === "string" && value !== "false")) {
        return draft.taken("is off");
      }
      const paths = isOn(value) ? [draft.fields.cwd ?? "."] : textsOf(value);
      draft.fields.watch = { ...draft.fields.watch, paths };
      return undefined;
    },
    ignore_watch: (value, draft) => withWatch(draft, { ignore: textsOf(value) }),
    watch_delay: (value, draft) => withWatch(draft, { delayMs: millisecondsOf(value, 1) ?? 200 }),
    autorestart: (value, draft) => {
      if (value === false) draft.fields.restart = "temporary";
    },
    autostart: (value, draft) => void (draft.fields.autostart = value !== false),
    stop_exit_codes: (value, draft) => {
      const codes = textsOf(value).flatMap((code) => numberOf(code) ?? []);
      if (codes.length === 0) return draft.taken("is empty");
      draft.fields.successCodes = codes;
      draft.fields.restart ??= "transient";
      return undefined;
    },
    restart_delay: (value, draft) => {
      const delayMs = numberOf(value) ?? 0;
      draft.fields.backoff = { initialMs: delayMs, maxMs: delayMs, factor: 1, jitter: 0 };
    },
    exp_backoff_restart_delay: (value, draft) => {
      draft.fields.backoff = { initialMs: numberOf(value) ?? 100, factor: 1.5 };
    },
    uid: (value, draft) => void (draft.fields.user = userOf(value)),
    username: (value, draft) => void (draft.fields.user = userOf(value)),
    gid: (value, draft) => void (draft.fields.group = userOf(value)),
    namespace: asTag("default"),
    instance_var: (_, draft) => draft.differs("the number of an instance is in COLOS_INSTANCE, counted from 1"),
    increment_var: noCounterpart("compute it from COLOS_INSTANCE, which counts from 1"),
    treekill: (value, draft) => {
      if (value === false) draft.differs("colos always ends the whole process group");
    },
    port: (value, draft) => {
      draft.fields.env = { PORT: textOf(value) ?? "", ...draft.fields.env };
      draft.differs("is set as PORT; to let colos open the port, write listen");
    },
  };
  return handlers;
}

/** Keys that colos has no counterpart for, each with what to do. */
const without: Readonly<Record<string, Handlers[string]>> = Object.fromEntries([
  ...keysWith(
    "out_file error_file log_file output error out err log disable_logs log_type log_date_format time",
    ownLogs,
  ),
  ...keysWith("merge_logs combine_logs", ownLogs),
  ...keysWith(
    "pid_file pid vizion force source_map_support disable_source_map_support pmx automation trace",
    notNeeded,
  ),
  ...keysWith("disable_trace deep_monitoring event_loop_inspector v8 io windowsHide kill_retry_time write", notNeeded),
  ...keysWith("append_env_to_name execute_command", notNeeded),
  ...keysWith(
    "post_update install_url filter_env watch_options name_prefix",
    noCounterpart("colos has nothing like it"),
  ),
]);

function keysWith(keys: string, handler: Handlers[string]): [string, Handlers[string]][] {
  return keys.split(" ").map((key) => [key, handler]);
}

/** `env_<name>` for any name, and what has no counterpart. */
function otherHandler(key: string, chosen: string | undefined): Handlers[string] | undefined {
  if (Object.hasOwn(without, key)) return without[key];
  const name = /^env_(.+)$/.exec(key)?.[1];
  if (name === undefined) return undefined;
  if (name === chosen) return usedElsewhere;
  return noCounterpart(`is left out; import with --env ${name} for it, or write an env file for each environment`);
}

/** `env`, and over it the environment that was asked for. */
function envOf(app: Record<string, unknown>, chosen: string | undefined): Fields["env"] {
  const variables = new Map([
    ...variablesOf(app["env"] ?? {}),
    ...variablesOf(chosen === undefined ? {} : (app[`env_${chosen}`] ?? {})),
  ]);
  return variables.size === 0
    ? undefined
    : Object.fromEntries([...variables].map(([name, text]) => [name, text ?? ""]));
}

function restartLimits(app: Record<string, unknown>, draft: Draft): void {
  if (app["max_restarts"] === undefined && app["min_uptime"] === undefined) return;
  const maxRestarts = numberOf(app["max_restarts"]) ?? 16;
  const uptimeMs = spanOf(app["min_uptime"]) ?? millisecondsOf(app["min_uptime"], 1) ?? 1000;
  draft.fields.maxRestarts = maxRestarts;
  draft.fields.periodMs = Math.max(1, maxRestarts * uptimeMs);
  draft.differs(
    'counts in a sliding window, and goes on slowly when that is used up; to give up write exhausted: { policy: "failed" }',
    "max_restarts",
  );
}

function withWatch(draft: Draft, more: Partial<NonNullable<Fields["watch"]>>): void {
  draft.fields.watch = { paths: [draft.fields.cwd ?? "."], ...draft.fields.watch, ...more };
}

function userOf(value: unknown): string | number {
  const text = textOf(value) ?? "";
  return /^\d+$/.test(text) ? Number(text) : text;
}
