/**
 * Recorder entry: the first file of the OS process that reads what services write. Arguments: the home, and after how many
 * milliseconds without work it ends (default: a named time).
 *
 * @module
 */
import process from "node:process";
import { homeAt } from "./daemon/home.ts";
import { runRecorder } from "./daemon/log/recorder-process.ts";
import { nodePlatform } from "./platforms/node/node-platform.ts";

const [root = "", idleMs] = process.argv.slice(2);
await runRecorder({
  home: homeAt(root),
  platform: nodePlatform(),
  ...(idleMs === undefined ? {} : { idleMs: Number(idleMs) }),
});
