/**
 * OS process entry: the first file of each child of the os-process carrier.
 *
 * @module
 */
import { loadProgram } from "./carriers/hosted-kernel-load.ts";
import { runOsProcess } from "./carriers/os-process-uplink.ts";
import { carriersByName, nodeCarriers, watchdogFromEnvironment } from "./node-system.ts";
import { nodePlatform } from "./platforms/node/node-platform.ts";

const platform = nodePlatform();
watchdogFromEnvironment(platform);
runOsProcess({ platform, carriers: carriersByName(nodeCarriers()), load: loadProgram });
