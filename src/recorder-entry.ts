/**
 * Recorder entry: the first file of the OS process that reads what services write. Arguments: the home, and after how many
 * milliseconds without work it ends (default: a named time).
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { homeAt } from "./daemon/home.ts";
import { ownLogWriter } from "./daemon/log/own-log.ts";
import { runRecorder } from "./daemon/log/recorder-process.ts";
import { nodePlatform } from "./platforms/node/node-platform.ts";

const [root = "", idleMs] = process.argv.slice(2);
const home = homeAt(root);
void runRecorder({
  home,
  platform: nodePlatform({ writeLine: ownLogWriter(join(home.log, "recorder")) }),
  ...(idleMs === undefined ? {} : { idleMs: Number(idleMs) }),
});
