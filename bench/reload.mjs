/**
 * Reloads of a server that knows nothing of colos (`http.createServer(…).listen(port)`, no handler for any OS signal), under load:
 * 2 instances, 20 kept connections without a pause, and 4 clients that connect anew for each request.
 *
 *   npm run bench:reload
 *   npm run bench:reload -- --quick      one reload of each
 *
 * Exit code 1: a request was lost.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { cpus } from "node:os";
import { join } from "node:path";
import { median, pause, quantile } from "./pm2/figures.mjs";
import { endAll } from "./pm2/place.mjs";
import { freePorts, listReady } from "./pm2/services.mjs";
import { ColosSystem } from "./pm2/system-colos.mjs";

delete process.env.NODE_OPTIONS;
const isQuick = process.argv.includes("--quick");
const reloads = isQuick ? 1 : 3;
const services = join(import.meta.dirname, "pm2/services");
const naive = join(services, "naive.mjs");
const kinds = {
  program: (port) => ({ program: naive, args: [String(port)] }),
  command: (port) => ({ command: [process.execPath, naive, String(port)] }),
};
const readiness = { "ready: log": { ready: { log: "up" } }, "no check": {} };

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void endAll().finally(() => process.exit(130)));

let isWhole = true;
console.log(
  `${cpus().length} cores (${cpus()[0]?.model}), Node.js ${process.version}, ${reloads} reloads of 2 instances\n`,
);
console.log("| run as | check | clients | requests | lost | p99 before, ms | p99 meanwhile, ms | one reload, ms |");
console.log("| --- | --- | --- | --- | --- | --- | --- | --- |");
for (const [kind, configOf] of Object.entries(kinds)) {
  for (const [check, ready] of Object.entries(readiness)) await measure(kind, check, configOf, ready);
}
process.exitCode = isWhole ? 0 : 1;

async function measure(kind, check, configOf, ready) {
  const system = new ColosSystem();
  const clients = [];
  try {
    const [port] = await freePorts(1);
    await system.startConfig({ web: { ...configOf(port), ...ready, instances: 2, listen: port } });
    await listReady(system, 2);
    clients.push(startClients("kept", port, 20), startClients("new", port, 4));
    await pause(3_000);
    for (const { child } of clients) child.stdin.write("reload\n");
    const times = [];
    for (let reload = 0; reload < reloads; reload += 1) {
      const { code, ms, stderr } = await system.reload("web");
      if (code !== 0) throw new Error(`reload ends with ${code}: ${stderr}`);
      times.push(ms);
      await pause(2_000);
    }
    for (const { name, child, answer } of clients) {
      child.stdin.end();
      const [calm, busy] = JSON.parse(await answer);
      const lost = { ...calm.failures, ...busy.failures };
      const isNone = Object.keys(lost).length === 0;
      isWhole &&= isNone;
      const text = isNone ? "0" : JSON.stringify(lost);
      const figures = [quantile(calm.ms, 0.99), quantile(busy.ms, 0.99), median(times)];
      const cells = [kind, check, name, busy.ms.length, text, ...figures.map((each) => each.toFixed(0))];
      console.log(`| ${cells.join(" | ")} |`);
    }
  } finally {
    for (const { child } of clients) child.kill("SIGKILL");
    await system.end();
  }
}

function startClients(name, port, connections) {
  const words = [join(services, "load.mjs"), String(port), String(connections), name];
  const child = spawn(process.execPath, words, { stdio: ["pipe", "pipe", "inherit"] });
  const answer = new Promise((resolve) => {
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (each) => (text += each));
    child.on("close", () => resolve(text));
  });
  return { name, child, answer };
}
