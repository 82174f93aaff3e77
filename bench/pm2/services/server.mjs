/**
 * A web server that answers with its pid, as both managers run it. `drain=idle` ends as most servers are told to: `close()`,
 * which also closes idle connections, at once. `drain=polite` answers what still comes on open connections, and says
 * there that they close.
 *
 *   node server.mjs [port] [drain]
 */
import { writeSync } from "node:fs";
import { createServer } from "node:http";
import { Server } from "node:net";

const [port, drain = "idle"] = process.argv.slice(2);
const lastMs = 2_000;
let isStopping = false;

const server = createServer((request, response) => {
  if (isStopping) response.setHeader("connection", "close");
  response.end(String(process.pid));
});
server.keepAliveTimeout = 60_000;
// With PM2 the cluster module shares the port, with colos the socket that it holds is taken.
server.listen(Number(port), () => {
  process.send?.("ready");
  if (process.env.READY_FD !== undefined) writeSync(Number(process.env.READY_FD), "\n");
});

function stop() {
  if (isStopping) return;
  isStopping = true;
  if (drain === "polite") Server.prototype.close.call(server, () => process.exit(0));
  else server.close(() => process.exit(0));
  setTimeout(() => process.exit(0), lastMs).unref();
}
process.on("SIGINT", stop);
process.on("SIGTERM", stop);
