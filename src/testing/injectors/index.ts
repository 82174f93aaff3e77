/**
 * All injectors.
 *
 * @module
 */
export { controlGroup } from "./control-group.ts";
export { fakedTime } from "./faked-time.ts";
export { fullDevice } from "./full-device.ts";
export { loopDisk } from "./loop-disk.ts";
export { netNamespace } from "./net-namespace.ts";
export { osKill } from "./os-kill.ts";
export { osStop } from "./os-stop.ts";
export { resourceLimit } from "./resource-limit.ts";
export { smallTmpfs } from "./small-tmpfs.ts";
export { strace } from "./strace.ts";
