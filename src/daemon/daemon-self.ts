/**
 * Daemon self: what a daemon is apart from its services: its log, its name in the home, its heart, what it is short of, and what it
 * says of itself.
 *
 * @module
 */
import type { Clock, Milliseconds } from "../base/platform.ts";
import { apiVersion } from "../control/manager-routes.ts";
import type { DaemonStatus } from "../control/manager.ts";
import { withSpareDescriptor } from "../os/spare-descriptor.ts";
import { containerSentences, initProblem, readContainerLimits } from "./boot/container.ts";
import { keepHeart } from "./boot/heart.ts";
import { nameDaemon } from "./daemon-name.ts";
import { DescriptorReserve } from "./descriptor-reserve.ts";
import type { DaemonEnd, DaemonOptions } from "./daemon-options.ts";
import { OwnAlarms } from "./own-alarms.ts";

/** How long the heart starts nothing while one daemon hands over to the next, in milliseconds. */
const handOverMs: Milliseconds = 30_000;

/** Takes a line for the daemon's own log. */
export type DaemonLog = (level: "info" | "warning" | "error", message: string) => void;

/** What a daemon says of itself; the rest the manager knows. */
export type OwnStatus = Omit<DaemonStatus, "home" | "startsCount" | "version">;

export class DaemonSelf {
  readonly clock: Clock;
  readonly log: DaemonLog;
  readonly alarms: OwnAlarms = new OwnAlarms();
  readonly #startedAt: number;
  readonly #reserve: DescriptorReserve;
  readonly #stopNaming: () => void;
  readonly #heart: ReturnType<typeof keepHeart> | undefined;
  /** What the container allows. */
  readonly #contained: readonly string[];
  #memoryBytes = residentBytes() ?? 0;

  constructor(options: DaemonOptions) {
    const { home, platform, version, isContained } = options;
    const { clock } = platform;
    this.clock = clock;
    this.log = (level, message) => platform.log(level, message);
    this.#startedAt = clock.wallMs();
    this.#reserve = new DescriptorReserve({
      clock,
      onChange: (sentence) => {
        this.alarms.set("file descriptors", sentence);
        this.log("warning", sentence ?? "there are file descriptors again");
      },
    });
    this.#stopNaming = nameDaemon(home, version, clock, (sentence) => this.log("error", sentence));
    this.#heart = this.#keepHeart(options);
    this.#contained = isContained === true ? containerSentences(readContainerLimits()) : [];
    const pidProblem = isContained === true ? initProblem(process.pid) : undefined;
    this.alarms.set("pid 1", pidProblem);
    if (pidProblem !== undefined) this.log("warning", pidProblem);
  }

  #keepHeart({ home, restartCommand }: DaemonOptions): ReturnType<typeof keepHeart> | undefined {
    if (restartCommand === undefined) return undefined;
    return keepHeart({
      home,
      clock: this.clock,
      command: restartCommand,
      cwd: "/",
      onNote: (sentence) => this.log("warning", sentence),
      onTrouble: (sentence) => this.alarms.set("heart", sentence),
    });
  }

  /** What it is too short of to begin anything new: one sentence. */
  shortage(): string | undefined {
    this.#reserve.look();
    return this.#reserve.shortage;
  }

  /** `abilities` and `alarms` are those of its parts. */
  status({ abilities, alarms }: { abilities: readonly string[]; alarms: readonly string[] }): OwnStatus {
    this.#memoryBytes = residentBytes() ?? this.#memoryBytes;
    return {
      api: apiVersion,
      osPid: process.pid,
      startedAt: this.#startedAt,
      memoryBytes: this.#memoryBytes,
      node: process.version,
      abilities: [...abilities, ...this.#contained],
      alarms: [...this.alarms.all, ...alarms],
    };
  }

  /** Only a person can mend why it ends, or wants it to: it is not to be started again. */
  restHeart(): void {
    this.#heart?.rest("down");
  }

  /** It is about to end, and its home has its name no more. */
  leave(how: DaemonEnd | undefined): void {
    if (how === "down") this.restHeart();
    if (how === "handOver") this.#heart?.rest({ handOverMs });
    this.#stopNaming();
  }

  close(): void {
    this.#heart?.close();
    this.#reserve.close();
  }
}

/** Of this OS process; undefined without a file descriptor to look with. */
function residentBytes(): number | undefined {
  try {
    return withSpareDescriptor(() => process.memoryUsage.rss());
  } catch {
    return undefined;
  }
}
