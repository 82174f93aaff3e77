/**
 * The services that both managers run, and what a scenario asks of a system in more than one place.
 *
 * @module
 */
import { createServer } from "node:net";
import { join } from "node:path";
import { ask, until } from "./figures.mjs";

const folder = join(import.meta.dirname, "services");
export const startTimeoutMs = 120_000;

export const sleeps = (count) =>
  Array.from({ length: count }, (_, at) => ({ name: `sleep-${at + 1}`, command: ["/bin/sleep", "1000000"] }));

/** A script of this benchmark, run by this Node. */
export const script = (name, file, args, options = {}) => ({
  name,
  command: [process.execPath, join(folder, file), ...args.map(String)],
  ...options,
});

export async function servers(count, options = {}) {
  const ports = await freePorts(count);
  return ports.map((port, at) => script(`server-${at + 1}`, "server.mjs", [port], { port, ...options }));
}

/** TCP ports of 127.0.0.1 that nobody listens on. */
export async function freePorts(count) {
  const listeners = await Promise.all(
    Array.from({ length: count }, () => {
      const listener = createServer();
      return new Promise((resolve) => listener.listen(0, "127.0.0.1", () => resolve(listener)));
    }),
  );
  const ports = listeners.map((listener) => listener.address().port);
  await Promise.all(listeners.map((listener) => new Promise((resolve) => listener.close(resolve))));
  return ports;
}

/** Starts services and gives what `list` says of them when all are ready. */
export async function startAll(system, services) {
  await system.start(services);
  return listReady(system, services.length);
}

export function listReady(system, count) {
  return until(
    `${system.name}: ${count} services ready`,
    async () => {
      const listed = (await system.list()).filter(({ isReady }) => isReady);
      return listed.length >= count && listed;
    },
    { everyMs: 200, timeoutMs: startTimeoutMs },
  );
}

/** The pid that answers on a port. */
export function answering(port, isWanted = () => true, everyMs = 2) {
  return until(
    `an answer on port ${port}`,
    async () => {
      const body = await ask(port);
      return body !== undefined && isWanted(Number(body)) && Number(body);
    },
    { everyMs },
  );
}

export const pidsOf = (listed) => listed.flatMap(({ osPid }) => (osPid === undefined ? [] : [osPid]));
