/**
 * Fleet: the services that run while their daemon is killed, and the config that says so.
 *
 * Each writes what it does into one file of facts, with `>>`, so that nobody has to be asked what has happened:
 *
 * ```
 * start <run> <pid> <version> <secret> <epoch>   it began, with what its config and its environment say (settings.ts)
 * twice <run> <pid>   it began, and an OS process of another run of its instance still had the instance's lock
 * wrote <run> <count>   so many lines on stdout, and as many on stderr; it writes no more
 * code <run> <code>   it is about to end with this exit code
 * ```
 *
 * What services have in common that are there for one thing stands in a file of its own (part.ts).
 *
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseConfig } from "../../../src/control/config-parser.ts";
import type { ServiceConfig, SystemPlan } from "../../../src/control/config.ts";
import { chain } from "./chain.ts";
import { jobs } from "./jobs.ts";
import type { Part } from "./part.ts";
import { patient } from "./patient.ts";
import { changeFile, reader } from "./reader.ts";
import { begin, restless } from "./script.ts";
import { secretFile, secretsFolder, settings } from "./settings.ts";

/** Packaged programs; one that is absent is not in the fleet. */
export interface Programs {
  readonly redis?: string | undefined;
  readonly nginx?: string | undefined;
  readonly nats?: string | undefined;
}

export interface Ports {
  readonly web: number;
  readonly redis: number;
  readonly nginx: number;
  readonly nats: number;
}

/** What a client has changed, service by service; what is not in it is not in the config. */
export type Wanted = ReadonlyMap<string, WantedService>;

export interface WantedService {
  readonly target: "up" | "down";
  readonly instances: number;
  readonly version: number;
}

export const parts: readonly Part[] = [chain, jobs, patient, reader, settings];
/** Services that a client changes all the time. `alpha` and `beta` are changed together. */
export const changed = ["alpha", "beta", "gamma", "web"] as const;
/** Which config it is: each that is applied makes a newer web, which is never removed. */
export function epochOf(wanted: Wanted): number {
  return wanted.get("web")?.version ?? 0;
}

/** Real programs, which nobody may ever restart. */
export const servers = ["redis", "nginx", "nats"] as const;
/** Lines that `talker` writes on each stream before it ends. */
const talkerLines = 25;

/** Where the fleet keeps its files. */
export interface FleetFiles {
  readonly folder: string;
  readonly facts: string;
}

/** Writes the scripts. */
export function writeFleet(folder: string): FleetFiles {
  const facts = join(folder, "facts");
  mkdirSync(join(folder, "locks"), { recursive: true });
  mkdirSync(join(folder, "read"));
  mkdirSync(join(folder, secretsFolder));
  writeFileSync(facts, "");
  writeFileSync(join(folder, "count"), "0\n");
  changeFile(folder);
  const written = [scripts, ...parts.map((part) => part.scripts)].flatMap((each) => Object.entries(each));
  for (const [name, text] of written) writeFileSync(join(folder, name), text);
  return { folder, facts };
}

/** The plan of the fleet as a client wants it. */
export function planOf(wanted: Wanted, { folder }: FleetFiles, programs: Programs, ports: Ports): SystemPlan {
  const services: Record<string, ServiceConfig> = {
    ...fixed(),
    ...Object.assign({}, ...parts.map((part) => part.services)),
    ...real(folder, programs, ports),
    ...Object.fromEntries([...wanted].map(([name, each]) => [name, changeable(name, each, folder, ports)])),
  };
  const parsed = parseConfig({ services }, { source: "fleet", directory: folder, resolve });
  if ("problems" in parsed) throw new Error(parsed.problems.map(({ message }) => message).join("\n"));
  return parsed.plan;
}

function fixed(): Record<string, ServiceConfig> {
  return {
    logger: { command: ["sh", "logger.sh"], instances: 2, ready: { log: " 1" }, shutdown: 20_000 },
    talker: { command: ["sh", "talker.sh"], ...restless, shutdown: 20_000, standby: true },
    crasher: {
      command: ["sh", "crasher.sh"],
      standby: true,
      maxRestarts: 3,
      periodMs: 5000,
      backoff: { initialMs: 50, maxMs: 400 },
      exhausted: { policy: "degraded", retryEveryMs: 1500 },
    },
    forker: { command: ["sh", "forker.sh"], ...restless },
    once: { command: ["sh", "once.sh"], restart: "temporary" },
  };
}

function changeable(name: string, { instances, version }: WantedService, folder: string, ports: Ports): ServiceConfig {
  const env = { VERSION: String(version) };
  const secrets = { TOKEN: { file: secretFile(folder, version) } };
  if (name === "web") {
    return {
      ...{
        command: [process.execPath, "web.mjs"],
        env,
        secrets,
        instances,
        listen: ports.web,
        listenHost: "127.0.0.1",
      },
      ...{ ready: { log: "up" }, drainMs: 10_000 },
    };
  }
  const dependsOn = name === "beta" ? { alpha: { condition: "started" } as const } : {};
  return { command: ["sh", "stayer.sh"], env, secrets, instances, dependsOn, ready: { log: "up" } };
}

function real(folder: string, programs: Programs, ports: Ports): Record<string, ServiceConfig> {
  const services: Record<string, ServiceConfig> = {};
  if (programs.redis !== undefined) {
    const words = ["--port", String(ports.redis), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    services["redis"] = { command: [programs.redis, ...words], ready: { port: ports.redis } };
  }
  if (programs.nginx !== undefined) {
    writeFileSync(join(folder, "nginx.conf"), nginxConfig(ports.nginx));
    const words = ["-p", folder, "-e", "stderr", "-c", "nginx.conf", "-g", "daemon off;"];
    services["nginx"] = { command: [programs.nginx, ...words], ready: { port: ports.nginx } };
  }
  if (programs.nats !== undefined) {
    const words = ["-a", "127.0.0.1", "-p", String(ports.nats)];
    services["nats"] = { command: [programs.nats, ...words], ready: { port: ports.nats } };
  }
  return services;
}

function nginxConfig(port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path temp;`);
  return `worker_processes 1; pid nginx.pid; error_log stderr;
    events { worker_connections 64; }
    http {
      access_log off; ${temporary.join(" ")}
      server { listen 127.0.0.1:${port}; location / { return 200 "hello"; } }
    }`;
}

const scripts: Readonly<Record<string, string>> = {
  // Bursts on both streams; what it has written is told in its last moment.
  "logger.sh": `${begin}
trap over=1 TERM
n=0 rounds=0
while [ -z "$over" ]; do
  i=0 rounds=$((rounds + 1))
  while [ $i -lt $((rounds % 5 * 4 + 1)) ]; do
    i=$((i + 1)) n=$((n + 1))
    echo "$COLOS_RUN $n."
    echo "$COLOS_RUN $n." >&2
  done
  sleep 0.1
done
echo "wrote $COLOS_RUN $n" >>facts
`,
  // Each of its exit codes is another one than the last. It ends by itself alone.
  "talker.sh": `${begin}
trap : TERM
read -r last <count
n=$((last + 1)) i=0
echo $n >count
while [ $i -lt ${talkerLines} ]; do
  i=$((i + 1))
  echo "$COLOS_RUN $i."
  echo "$COLOS_RUN $i." >&2
done
echo "wrote $COLOS_RUN $i" >>facts
code=$((n % 100 + 1))
echo "code $COLOS_RUN $code" >>facts
exit $code
`,
  "crasher.sh": `${begin}
trap : TERM
echo "code $COLOS_RUN 3" >>facts
exit 3
`,
  // What it leaves behind has left its session and its group.
  "forker.sh": `${begin}
(setsid sleep 1000 &)
sleep 0.5
`,
  "once.sh": begin,
  "stayer.sh": `${begin}
echo up
sleep 1000
`,
  "web.mjs": `
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
const { COLOS_RUN, VERSION, TOKEN, EPOCH } = process.env;
appendFileSync("facts", \`start \${COLOS_RUN} \${process.pid} \${VERSION} \${TOKEN} \${EPOCH}\\n\`);
const server = createServer((_, response) => response.end("hello"));
// A second one would end it at once.
process.once("SIGTERM", () => server.close(() => process.exit(0)));
server.listen({ fd: 3 }, () => console.log("up"));
`,
};
