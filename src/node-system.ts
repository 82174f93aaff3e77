/**
 * A system on Node: kernel, platform and carriers put together, for programs that use colos as a library and for the
 * `colos` command.
 *
 * @module
 */
import process from "node:process";
import { isMainThread } from "node:worker_threads";
import type { Platform } from "./base/platform.ts";
import type { Carrier, ProgramLoader } from "./carriers/carrier.ts";
import { commandCarrier } from "./carriers/command.ts";
import { coroutineCarrier } from "./carriers/coroutine.ts";
import { osProcessCarrier } from "./carriers/os-process.ts";
import { threadCarrier } from "./carriers/thread.ts";
import { describeReason } from "./kernel/exit-reason.ts";
import { Kernel } from "./kernel/kernel.ts";
import { nameOf, Process } from "./kernel/process.ts";
import { nodePlatform } from "./platforms/node/node-platform.ts";
import { bundleProgram } from "./platforms/node/program-bundle.ts";
import { startWatchdog, type Watchdog, type WatchdogHost, type WatchdogOptions } from "./platforms/node/watchdog.ts";

export interface SystemOptions {
  /** Default: `nodePlatform()`. */
  readonly platform?: Platform;
  /** Default: all that colos has. */
  readonly carriers?: readonly Carrier[];
  /**
   * Starts a thread that notices a blocked event loop and names what blocks it; `true` for the defaults. Default false: a
   * library starts no thread that nobody asked for, and it costs 10 MB. In a worker thread it throws. The environment
   * variable `COLOS_WATCHDOG_MS` switches it on without a change, with that as `blockedMs`, also in what runs on the
   * os-process carrier.
   */
  readonly watchdog?: WatchdogOptions | boolean;
}

/** A kernel with what it stands on. */
export interface System {
  readonly kernel: Kernel;
  readonly platform: Platform;
  /** Present when it was asked for. */
  readonly watchdog?: Watchdog;
}

const colosUrl = new URL("./index.js", import.meta.url).href;

/** Asks before every start, because the cache of bundles forgets old ones. */
const loader: ProgramLoader = {
  resolve: async (url) => (await bundleProgram(new URL(url), { colosUrl })).url,
};

/** All carriers colos has on Node. */
export function nodeCarriers(): readonly Carrier[] {
  return [
    coroutineCarrier({ loader }),
    threadCarrier({ loader, entry: new URL("./thread-entry.js", import.meta.url) }),
    osProcessCarrier({ loader, entry: new URL("./os-process-entry.js", import.meta.url) }),
    commandCarrier(),
  ];
}

/** Carriers by name, as a kernel takes them. */
export function carriersByName(carriers: readonly Carrier[]): ReadonlyMap<string, Carrier> {
  return new Map(carriers.map((carrier) => [carrier.name, carrier]));
}

/** A kernel on Node with all carriers; the root of a system. */
export function createSystem(options: SystemOptions = {}): System {
  const platform = options.platform ?? nodePlatform();
  const carriers = carriersByName(options.carriers ?? nodeCarriers());
  const kernel = new Kernel(platform, { carriers });
  const { watchdog = false } = options;
  if (watchdog === false) return withWatchdog({ kernel, platform }, watchdogFromEnvironment(platform));
  return withWatchdog({ kernel, platform }, startWatchdog(watchdogHost(platform), watchdog === true ? {} : watchdog));
}

function withWatchdog(system: System, watchdog: Watchdog | undefined): System {
  return watchdog === undefined ? system : { ...system, watchdog };
}

function watchdogHost(platform: Platform): WatchdogHost {
  return {
    log: (...entry) => platform.log(...entry),
    describeOwner: describeProcess,
  };
}

/** What a watchdog calls whoever runs. */
export function describeProcess(owner: object): string | undefined {
  return owner instanceof Process ? nameOf(owner) : undefined;
}

let fromEnvironment: Watchdog | undefined;

/** What an operator asked for, one for the whole OS process; a thread has none of its own. */
export function watchdogFromEnvironment(platform: Platform): Watchdog | undefined {
  const wanted = process.env["COLOS_WATCHDOG_MS"];
  if (wanted === undefined || wanted === "" || !isMainThread) return undefined;
  try {
    return (fromEnvironment ??= startWatchdog(watchdogHost(platform), { blockedMs: Number(wanted) }));
  } catch (refused) {
    platform.log("warning", `COLOS_WATCHDOG_MS is ${wanted}, and there is no watchdog: ${describeReason(refused)}`);
    return undefined;
  }
}
