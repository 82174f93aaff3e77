/**
 * Logs parts: what bench/logs.mjs measures, of the sources.
 *
 * @module
 */
export { homeAt, logFolder } from "../src/daemon/home.ts";
export { readLogs } from "../src/daemon/log/read-logs.ts";
export { openRecorder } from "../src/daemon/log/recorder-client.ts";
export { nodePlatform } from "../src/platforms/node/node-platform.ts";
