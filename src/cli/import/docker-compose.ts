/**
 * Docker Compose: the commands of a compose file as a config. A container brings its own programs and files; a command of it
 * becomes a service that uses those of this machine, which is said for each.
 *
 * Limits: a service without a command runs what its image says, which the file does not show: it is left out and said why.
 * `extends`, `include`, several files and variables of the file itself are left to the reader. Written from its documentation.
 *
 * @module
 */
import type { DependencyConfig, SecretConfig } from "../../control/config.ts";
import { isPlainObject } from "../../control/value-schema.ts";
import {
  Draft,
  type Handlers,
  type ImportNote,
  type ImportResult,
  importResult,
  noCounterpart,
  ServiceNames,
  usedElsewhere,
} from "./note.ts";
import { commandOfLine, splitWords } from "./shell-words.ts";
import { bytesOf, isOn, numberOf, spanOf, textOf, textsOf, variablesOf } from "./values.ts";

/** What the value of a compose file means. */
export function importDockerCompose(value: unknown): ImportResult {
  const file = new Draft();
  file.read(value, fileHandlers, { others: (key) => (key.startsWith("x-") ? usedElsewhere : undefined) });
  const written = isPlainObject(value) && isPlainObject(value["services"]) ? Object.entries(value["services"]) : [];
  const names = new ServiceNames();
  const notes: ImportNote[] = [...file.notes];
  const able = written.flatMap(([name, service]): [string, Record<string, unknown>][] => {
    if (isPlainObject(service) && wordsOf(service) !== undefined) return [[name, service]];
    notes.push({ kind: "none", service: name, key: "command", sentence: withoutCommand(service) });
    return [];
  });
  for (const [name] of able) names.of(name);
  const imported = new Set(able.map(([name]) => name));
  const drafts = able.map(([name, service]) => {
    const draft = new Draft(names.of(name));
    draft.fields.restart = "temporary";
    draft.read(service, handlersFor(names, imported), {
      others: (key) => (key.startsWith("x-") ? usedElsewhere : undefined),
    });
    const words = wordsOf(service)!;
    draft.fields.command = words;
    draft.taken(`runs as ${JSON.stringify(words)}`, "command");
    return draft;
  });
  return importResult(drafts, notes);
}

const elsewhere = "of the container is not used";
const fileHandlers: Handlers = {
  services: (_, draft) => draft.taken("are the services below"),
  version: (_, draft) => draft.taken("is understood"),
  name: (_, draft) => draft.taken("a system of colos is its home; use --home for another"),
  volumes: noCounterpart("services use the files of this machine"),
  networks: noCounterpart("services use the network of this machine; what is between containers is at 127.0.0.1"),
  configs: noCounterpart("services use the files of this machine"),
  secrets: noCounterpart('write secrets: { NAME: { file: "…" } } in the services that need them'),
  include: noCounterpart("colos reads one config; import the other file too"),
};

function withoutCommand(service: unknown): string {
  const image = textOf(isPlainObject(service) ? service["image"] : undefined);
  if (image !== undefined) {
    return `is not in the file, since the image ${image} has it; install the program and write the service by hand`;
  }
  return "is not in the file, since the image that is built has it; write the service by hand";
}

/** `entrypoint` and `command` together, without a shell, as a container starts them. */
function wordsOf({ entrypoint, command }: Record<string, unknown>): [string, ...string[]] | undefined {
  const words = [...partOf(entrypoint), ...partOf(command)];
  return words.length > 0 && words[0] !== "" ? (words as [string, ...string[]]) : undefined;
}

function partOf(value: unknown): readonly string[] {
  if (typeof value !== "string") return textsOf(value);
  const split = splitWords(value);
  return "words" in split ? split.words : value.split(/\s+/);
}

function handlersFor(names: ServiceNames, imported: ReadonlySet<string>): Handlers {
  return {
    command: (value, draft) => noteVariables(value, draft),
    entrypoint: (value, draft) => noteVariables(value, draft),
    image: (value, draft) =>
      draft.differs(`the image ${textOf(value)} is not used; its programs and files have to be on this machine`),
    build: noCounterpart("nothing is built; the programs and files have to be on this machine"),
    container_name: (_, draft) => draft.taken(`the service is called ${draft.name}`),
    hostname: noCounterpart(elsewhere),
    environment: (value, draft) => setEnvironment(value, draft),
    env_file: (value, draft) => setEnvFiles(value, draft),
    depends_on: (value, draft) => setDependencies(value, { names, imported }, draft),
    healthcheck: (value, draft) => setHealth(value, draft),
    restart: (value, draft) => setRestart(textOf(value) ?? "no", draft),
    stop_signal: (value, draft) => {
      const name = textOf(value) ?? "SIGTERM";
      if (/^(?:SIG)?KILL$/.test(name)) draft.fields.shutdown = "brutal";
      else draft.fields.stopSignal = name.startsWith("SIG") ? name : `SIG${name}`;
    },
    stop_grace_period: (value, draft) => void (draft.fields.shutdown = spanOf(value) ?? 10_000),
    user: (value, draft) => {
      const [user, group] = (textOf(value) ?? "").split(":");
      const named = (text: string): string | number => (/^\d+$/.test(text) ? Number(text) : text);
      draft.fields.user = named(user!);
      if (group !== undefined) draft.fields.group = named(group);
      draft.differs("is a user of this machine here, not of the container");
    },
    working_dir: (value, draft) =>
      draft.none(`${textOf(value)} is a folder of the container; write cwd with one of this machine`),
    deploy: (value, draft) => draft.read(value, deploy, { prefix: "deploy." }),
    scale: (value, draft) => void (draft.fields.instances = Math.max(1, numberOf(value) ?? 1)),
    mem_limit: (value, draft) => setMemory(value, draft),
    cpus: (value, draft) => limit(draft, { cpuPercent: Math.max(1, (numberOf(value) ?? 1) * 100) }),
    pids_limit: (value, draft) => {
      if ((numberOf(value) ?? 0) > 0) limit(draft, { pidsMax: numberOf(value)! });
    },
    ulimits: (value, draft) => setUlimits(value, draft),
    profiles: (_, draft) => {
      draft.fields.autostart = false;
      draft.differs("the service does not start by itself; colos start does it");
    },
    ports: (value, draft) => {
      const list = Array.isArray(value) ? value : [value];
      const told = list.map((port) =>
        isPlainObject(port) ? `${textOf(port["published"])}:${textOf(port["target"])}` : textOf(port),
      );
      draft.differs(`nothing is mapped (${told.join(", ")}); the program has to listen on the port that others use`);
    },
    expose: noCounterpart("services reach each other at 127.0.0.1"),
    volumes: noCounterpart("the program uses the files of this machine; look at the paths it is given"),
    networks: noCounterpart("the service uses the network of this machine"),
    network_mode: noCounterpart("the service uses the network of this machine"),
    extra_hosts: noCounterpart("write them into /etc/hosts"),
    logging: noCounterpart("colos keeps the output of each instance in its home; write logs for limits"),
    labels: noCounterpart("colos has no labels"),
    init: (_, draft) => draft.taken("colos is no container's first process, so nothing is left for it to reap"),
    tty: noCounterpart("services have no terminal; their output goes to the log"),
    stdin_open: (_, draft) => draft.taken("stdin is open; colos send writes to it"),
    pull_policy: noCounterpart("there is no image"),
    platform: noCounterpart("there is no image"),
    cap_add: noCounterpart(elsewhere),
    cap_drop: noCounterpart(elsewhere),
    privileged: noCounterpart(elsewhere),
    read_only: noCounterpart(elsewhere),
    security_opt: noCounterpart(elsewhere),
    tmpfs: noCounterpart(elsewhere),
    shm_size: noCounterpart(elsewhere),
    develop: (_, draft) => draft.none("write watch: { paths: […] } to restart on changes"),
    secrets: noCounterpart('write secrets: { NAME: { file: "…" } }; they come as variables, not as files'),
    configs: noCounterpart("the program uses the files of this machine"),
    extends: noCounterpart("import the resolved file: docker compose config > resolved.yaml"),
  };
}

/** Compose itself replaces `${NAME}` before anything starts. */
function noteVariables(value: unknown, draft: Draft): void {
  if (!textsOf(value).some((text) => /\$(?!\$)/.test(text))) return;
  draft.differs(
    "has $ that compose replaces and colos leaves as text; import the resolved file: docker compose config > resolved.yaml",
  );
}

function setEnvironment(value: unknown, draft: Draft): void {
  const env: Record<string, string> = {};
  const secrets: Record<string, SecretConfig> = {};
  for (const [name, text] of variablesOf(value)) {
    const reference = text === undefined ? name : /^\$\{?(\w+)\}?$/.exec(text)?.[1];
    if (reference === undefined) env[name] = text!.replaceAll("$$", "$");
    else secrets[name] = { env: reference };
    if (text !== undefined && reference === undefined && /\$(?!\$)/.test(text)) noteVariables(text, draft);
  }
  if (Object.keys(env).length > 0) draft.fields.env = env;
  if (Object.keys(secrets).length === 0) return;
  draft.fields.secrets = secrets;
  draft.differs(`${Object.keys(secrets).join(", ")} come from the environment of colos at each start, as secrets`);
}

function setEnvFiles(value: unknown, draft: Draft): void {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  draft.fields.envFiles = list.flatMap((file) => {
    if (!isPlainObject(file)) return textOf(file) ?? [];
    if (file["required"] === false)
      draft.differs(`${textOf(file["path"])} has to be there; remove it if it may be absent`);
    return textOf(file["path"]) ?? [];
  });
}

interface Known {
  readonly names: ServiceNames;
  readonly imported: ReadonlySet<string>;
}

function setDependencies(value: unknown, { names, imported }: Known, draft: Draft): void {
  const entries = isPlainObject(value) ? Object.entries(value) : textsOf(value).map((name) => [name, {}] as const);
  const dependsOn: Record<string, DependencyConfig> = {};
  for (const [name, written] of entries) {
    if (!imported.has(name)) {
      draft.none(
        `${name} is not imported, so nothing waits for it; add it when you have written that service`,
        `depends_on.${name}`,
      );
      continue;
    }
    const { condition, restart } = isPlainObject(written) ? written : {};
    dependsOn[names.of(name)] = {
      condition: conditions[textOf(condition) ?? "service_started"] ?? "started",
      ...(isOn(restart) ? { onEnd: "restart" } : {}),
    };
  }
  if (Object.keys(dependsOn).length > 0) draft.fields.dependsOn = dependsOn;
}

const conditions: Readonly<Record<string, DependencyConfig["condition"]>> = {
  service_started: "started",
  service_healthy: "ready",
  service_completed_successfully: "exitedOk",
};

function setHealth(value: unknown, draft: Draft): void {
  const { test, interval, retries, start_period: startPeriod, disable } = isPlainObject(value) ? value : {};
  const [kind, ...rest] = typeof test === "string" ? ["CMD-SHELL", test] : textsOf(test);
  if (isOn(disable) || kind === undefined || kind === "NONE") return draft.taken("is off");
  const run = kind === "CMD-SHELL" ? commandOfLine(rest.join(" "))?.command : (rest as [string, ...string[]]);
  if (run === undefined || run.length === 0) return draft.none("has no command");
  const timeoutMs = (spanOf(startPeriod) ?? 0) + (spanOf(interval) ?? 30_000) * Math.max(1, numberOf(retries) ?? 3);
  draft.fields.ready = { exec: run, timeoutMs: Math.max(1000, timeoutMs) };
  return draft.differs("is the readiness check; to restart when it fails later, write live with the same command");
}

function setRestart(policy: string, draft: Draft): void {
  const [name, count] = policy.split(":");
  draft.fields.restart = name === "no" ? "temporary" : name === "on-failure" ? "transient" : "permanent";
  if (name === "on-failure" && count !== undefined) {
    draft.fields.maxRestarts = numberOf(count) ?? 5;
    draft.differs("the number counts within periodMs (30 s), not for ever");
  }
}

const deploy: Handlers = {
  replicas: (value, draft) => void (draft.fields.instances = Math.max(1, numberOf(value) ?? 1)),
  resources: (value, draft) => draft.read(value, resources, { prefix: "deploy.resources." }),
  restart_policy: (value, draft) => {
    const condition = textOf(isPlainObject(value) ? value["condition"] : undefined) ?? "any";
    setRestart(condition === "any" ? "always" : condition === "none" ? "no" : condition, draft);
  },
};
const resources: Handlers = {
  limits: (value, draft) => draft.read(value, limits, { prefix: "deploy.resources.limits." }),
  reservations: noCounterpart("colos reserves nothing"),
};
const limits: Handlers = {
  cpus: (value, draft) => limit(draft, { cpuPercent: Math.max(1, (numberOf(value) ?? 1) * 100) }),
  memory: (value, draft) => setMemory(value, draft),
  pids: (value, draft) => limit(draft, { pidsMax: Math.max(1, numberOf(value) ?? 1) }),
};

function setMemory(value: unknown, draft: Draft): void {
  const memoryBytes = bytesOf(value);
  if (memoryBytes === undefined) return draft.none('is not a size; write limits: { memoryBytes: "512 MiB" }');
  return limit(draft, { memoryBytes: Math.max(memoryBytes, 1_048_576) });
}

function setUlimits(value: unknown, draft: Draft): void {
  const { nofile, ...others } = isPlainObject(value) ? value : {};
  const fdsMax = numberOf(isPlainObject(nofile) ? nofile["soft"] : nofile);
  if (fdsMax !== undefined) limit(draft, { fdsMax });
  for (const key of Object.keys(others)) draft.none("colos has no such limit", `ulimits.${key}`);
}

function limit(draft: Draft, more: NonNullable<Draft["fields"]["limits"]>): void {
  draft.fields.limits = { ...draft.fields.limits, ...more };
}
