/**
 * Thread entry: the first file of each worker thread of the thread carrier.
 *
 * @module
 */
import { loadProgram } from "./carriers/hosted-kernel-load.ts";
import { runThread } from "./carriers/thread-uplink.ts";
import { carriersByName, nodeCarriers } from "./node-system.ts";
import { nodePlatform } from "./platforms/node/node-platform.ts";

runThread({ platform: nodePlatform(), carriers: carriersByName(nodeCarriers()), load: loadProgram });
