/**
 * The other side of `carriers.mjs` as Node has it: a worker's `postMessage`, or the IPC of `fork`.
 *
 * @module
 */
import { parentPort } from "node:worker_threads";
import { flood } from "./carriers-message.mjs";

const send = parentPort === null ? (message) => process.send(message) : (message) => parentPort.postMessage(message);
let expected = 0;
let taken = 0;

(parentPort ?? process).on("message", (message) => {
  if (message.trip !== undefined) {
    send(message);
  } else if (message.expect !== undefined) {
    expected = message.expect;
    taken = 0;
  } else if (message.flood !== undefined) {
    void flood(message.flood, send, () => new Promise((resolve) => setImmediate(resolve)));
  } else {
    taken += 1;
    if (taken === expected) send("done");
  }
});
