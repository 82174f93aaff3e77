/**
 * Config limits: the bounds and the words that configs and plans share.
 *
 * @module
 */
import type { DependencyCondition, DependencyEndPolicy, LogsConfig, ScheduleConfig, ServicePlan } from "./config.ts";
import type { CarrierName } from "./service.ts";

/** Services in one config. */
export const servicesMax = 1000;
/** Characters of a service's name. */
export const serviceNameMax = 64;
/** Instances of one service. */
export const instancesMax = 1000;
/** Tags of one service. */
export const tagsMax = 32;
/** Restarts within one window; the window remembers each of them. */
export const restartsMax = 10_000;
/** The largest backoff factor. */
export const backoffFactorMax = 100;
/** Characters of a description. */
export const descriptionMax = 500;
/** The file descriptors that readiness can be told on. */
export const readyFd = { least: 3, most: 9 } as const;
/** Characters of a line that readiness waits for, or of its expression. */
export const readyLineCharsMax = 4_096;
/** Failures in a row that liveness may wait for. */
export const failuresMaxMax = 1000;
/** The shortest interval of a job, in milliseconds. */
export const scheduleEveryMsMin = 1000;
/** Env files of one service. */
export const envFilesMax = 100;
/** Paths and patterns of one watch. */
export const watchEntriesMax = 1000;
/** The largest user or group number. */
export const userIdMax = 4_294_967_294;
/** The least and the most of each limit. A tree with less cannot start anything. */
export const limitBounds = {
  memoryBytes: { least: 1_048_576, most: 9_007_199_254_740_991 },
  cpuPercent: { least: 1, most: 100_000 },
  fdsMax: { least: 8, most: 1_048_576 },
  pidsMax: { least: 1, most: 4_194_304 },
} as const;
/** The least and the most of each size of logs, in bytes. */
export const logBytes = { least: 4096, most: 9_007_199_254_740_991 } as const;

/** The words of each key, in the order in which a sentence lists them. */
export const carrierNames: readonly CarrierName[] = ["coroutine", "thread", "os-process", "command"];
export const restartNames: readonly ServicePlan["restart"][] = ["permanent", "transient", "temporary"];
export const exhaustedNames: readonly ServicePlan["exhausted"]["policy"][] = ["degraded", "failed"];
export const stdinNames: readonly ServicePlan["stdin"][] = ["pipe", "null"];
export const conditionNames: readonly DependencyCondition[] = ["started", "ready", "healthy", "exitedOk"];
export const endPolicyNames: readonly DependencyEndPolicy[] = ["ignore", "stop", "restart"];
export const overlapNames: readonly NonNullable<ScheduleConfig["overlap"]>[] = ["skip", "queue", "replace"];
export const missedNames: readonly NonNullable<ScheduleConfig["missed"]>[] = ["skip", "once"];
export const forwardNames: readonly NonNullable<LogsConfig["forward"]>[] = ["stdout", "journald"];

/** Whether this can be a service's name, or a tag. */
export function isServiceName(name: string): boolean {
  return /^[A-Za-z0-9_-]+$/.test(name) && name.length <= serviceNameMax;
}
