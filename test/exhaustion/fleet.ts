/**
 * Fleet: services that run, log, crash, come through every kind of readiness, and never fork once they run, so that what they do
 * under a shortage says something of colos and not of themselves.
 *
 * @module
 */
import { freePort } from "../system/free-port.ts";
import type { System } from "./system.ts";

/** Those that nothing happens to: they are ready at the end, with no restart. */
export const calm = ["logger", "web", "checked", "said", "told", "after"] as const;
/** Killed once from outside: it has one restart, and one is what it needs. */
export const fragile = "fragile";
/** Ends by itself again and again, with `codeOf` its run. */
export const crasher = "crasher";
/** Stopped, started and restarted by a person. */
export const swapped = "swapped";
/** Runs each second. */
export const job = "job";

/** Instances of `logger`. */
export const loggersCount = 2;

/** With which code a run of the crasher ends. */
export function codeOf(run: string): number {
  return (Number(run.split(".")[2]) % 100) + 1;
}

/** One failure would be one too many. */
const strict = { maxRestarts: 0, exhausted: { policy: "failed" } };
const idle = ["bash", "idle.sh"];

/** Writes scripts and config into the folder of the system. */
export async function writeFleet(system: System): Promise<void> {
  const port = await freePort();
  for (const [name, text] of Object.entries(scripts)) system.write(name, text);
  const env = { FACTS: system.facts };
  const common = { env, stdin: "pipe", shutdown: 20_000 };
  const services = {
    logger: { ...common, ...strict, command: ["bash", "logger.sh"], instances: loggersCount, ready: { log: " 1 " } },
    web: {
      ...{ ...common, ...strict, command: [process.execPath, "web.mjs"], env: { ...env, PORT: String(port) } },
      ready: { http: `http://127.0.0.1:${port}/` },
      live: { http: `http://127.0.0.1:${port}/`, everyMs: 500, failuresMax: 2, timeoutMs: 2000 },
    },
    checked: {
      ...{ ...common, ...strict, command: idle, ready: { exec: ["true"] } },
      live: { exec: ["sh", "-c", "true | true"], everyMs: 500, failuresMax: 2 },
    },
    said: { ...common, ...strict, command: idle, ready: { log: "up" } },
    told: { ...common, ...strict, command: ["bash", "told.sh"], ready: { fd: 3 } },
    after: { ...common, ...strict, command: idle, dependsOn: ["web", "checked"] },
    fragile: { ...common, ...strict, maxRestarts: 1, command: idle, ready: { log: "up" } },
    crasher: {
      ...{ ...common, command: ["bash", "crasher.sh"], maxRestarts: 10_000, periodMs: 1000 },
      backoff: { initialMs: 300, factor: 1, jitter: 0 },
    },
    swapped: { ...common, ...strict, command: idle, ready: { log: "up", timeoutMs: 3000 } },
    job: { ...common, command: ["bash", "job.sh"], schedule: { everyMs: 1000 }, restart: "temporary" },
  };
  system.write("colos.config.json", JSON.stringify({ services }, undefined, 2));
}

/** Bytes of one line of the logger, beside its number: so many that a pipe which nobody reads is full within seconds. */
const padding = ".".repeat(400);

const scripts: Readonly<Record<string, string>> = {
  // `read -t` on a pipe that nobody writes into is a pause without a fork.
  "logger.sh": `
trap over=1 TERM
n=0
while [ -z "$over" ]; do
  n=$((n + 1))
  echo "$COLOS_RUN $n ${padding}"
  echo "$COLOS_RUN $n ${padding}" >&2
  read -r -t 0.05 _
done
echo "wrote $COLOS_RUN $n" >>"$FACTS"
`,
  "crasher.sh": `
trap : TERM
number=\${COLOS_RUN##*.}
code=$((number % 100 + 1))
read -r -t 0.4 _
echo "code $COLOS_RUN $code" >>"$FACTS"
exit $code
`,
  "idle.sh": `
trap over=1 TERM
echo up
while [ -z "$over" ]; do read -r -t 0.2 _; done
`,
  "told.sh": `
trap over=1 TERM
echo ready >&3
exec 3>&-
while [ -z "$over" ]; do read -r -t 0.2 _; done
`,
  "job.sh": `
echo "job $COLOS_RUN" >>"$FACTS"
`,
  "web.mjs": `
import { createServer } from "node:http";
const server = createServer((_, response) => response.end("hello"));
process.once("SIGTERM", () => process.exit(0));
server.listen(Number(process.env.PORT), "127.0.0.1");
`,
};
