/**
 * Thread entry: the first file of each worker thread of the thread carrier.
 *
 * @module
 */
import { loadProgram } from "./carriers/hosted-kernel-load.ts";
import { runThread } from "./carriers/thread-uplink.ts";
import { carriersByName, describeProcess, nodeCarriers } from "./node-system.ts";
import { nodePlatform } from "./platforms/node/node-platform.ts";
import { beWatched } from "./platforms/node/watchdog-subject.ts";

// The thread's own stderr, which goes where its output goes; the file descriptor may be a live view's terminal.
const platform = nodePlatform({ writeLine: (line) => void process.stderr.write(`${line}\n`) });

beWatched(describeProcess);
runThread({ platform, carriers: carriersByName(nodeCarriers()), load: loadProgram });
