/**
 * Clients of a web server: so many connections kept alive, one request after the other on each, until stdin ends. Then a
 * line of JSON: how long requests took in each phase, and what went wrong.
 *
 *   node load.mjs <port> <connections> [new]     stdin: a line begins the next phase; new: a connection for each request
 */
import { Agent, get } from "node:http";

const [port, connections] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: process.argv[4] !== "new", maxSockets: connections, maxFreeSockets: connections });
const phases = [{ ms: [], failures: {} }];
const over = new AbortController();

function request() {
  const startedAt = performance.now();
  const phase = phases.at(-1);
  return new Promise((resolve) => {
    const done = (failure) => {
      if (failure === undefined) phase.ms.push(performance.now() - startedAt);
      else phase.failures[failure] = (phase.failures[failure] ?? 0) + 1;
      resolve(failure);
    };
    const sent = get({ host: "127.0.0.1", port, agent, timeout: 5_000 }, (response) => {
      response.resume();
      response.on("end", () => done(response.statusCode === 200 ? undefined : `status ${response.statusCode}`));
      response.on("error", (error) => done(error.code ?? "error"));
    });
    sent.on("timeout", () => sent.destroy(Object.assign(new Error("timeout"), { code: "timeout" })));
    sent.on("error", (error) => done(error.code ?? "error"));
  });
}

async function client() {
  while (!over.signal.aborted) {
    const failure = await request();
    // A refused connection answers at once; without a pause it would be a flood of failures.
    await new Promise((resolve) => setTimeout(resolve, failure === undefined ? 1 : 10));
  }
}

process.stdin.on("data", () => phases.push({ ms: [], failures: {} }));
process.stdin.on("end", () => over.abort());
await Promise.all(Array.from({ length: connections }, client));
agent.destroy();
process.stdout.write(JSON.stringify(phases));
