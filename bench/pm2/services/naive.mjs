/**
 * A web server as its author wrote it for one machine: it knows neither of a shared port nor of an end in order.
 *
 *   node naive.mjs <port>
 */
import { createServer } from "node:http";

const [port] = process.argv.slice(2);
createServer((_request, response) => response.end(String(process.pid))).listen(Number(port), () => console.log("up"));
