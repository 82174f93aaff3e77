/**
 * Daemon options: what a daemon is started with, and how it comes to its end.
 *
 * @module
 */
import type { Platform } from "../base/platform.ts";
import type { ServicePlan } from "../control/config.ts";
import type { Home } from "./home.ts";

export interface DaemonOptions {
  readonly home: Home;
  readonly platform: Platform;
  readonly version: string;
  /** The recorder's first file. */
  readonly recorderEntry: URL;
  /** What runs a program in an OS process of its own: words before the program's file and arguments. */
  programCommand(plan: ServicePlan): readonly [string, ...string[]];
  /** What Node loads before a program that was handed a listening socket. */
  readonly listenEntry: URL;
  /** The command that starts a daemon for this home; absent: no heart watches over this one. */
  readonly restartCommand?: readonly [string, ...string[]];
  /** The heart started this one, after another that was not told to end. */
  readonly isAgain?: boolean;
  /** Goes on with what is whole of a damaged journal. */
  readonly salvage?: boolean;
  /**
   * This OS process is what a container is for: lines that are forwarded to stdout come out of its own, and what the container
   * allows is among the daemon's abilities.
   */
  readonly isContained?: boolean;
}

/** How a daemon came to its end: `homeLost`, because its home was deleted or replaced. */
export type DaemonEnd = "down" | "handOver" | "homeLost";
