/**
 * Site: who lives on a simulated machine: kernels with what runs them, and their processes as the machine sees them.
 *
 * Not here: when they get turns (machine.ts).
 *
 * @module
 */
import type { Milliseconds, Platform } from "../base/platform.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { AnyProcess } from "../kernel/process.ts";
import type { Stream } from "./choices.ts";

/** What the machine knows of a process. */
export class Resident {
  readonly process: AnyProcess;
  readonly site: Site;
  /** Its name, else its label, else `process`; processes that follow each other under a supervisor share it. */
  readonly title: string;
  /** Counts all processes of the run. */
  readonly number: number;
  readonly turns: Stream;
  /** Gets no turn any more. */
  isHung = false;
  /** Added to its next turn. */
  lateMs: Milliseconds = 0;
  /** For the order of turns to use. */
  rank = 0;
  /** Requests and operations that it waits for. One that is over counts until the turn in which the process goes on. */
  waitsCount = 0;

  constructor(process: AnyProcess, site: Site, title: string, number: number, turns: Stream) {
    this.process = process;
    this.site = site;
    this.title = title;
    this.number = number;
    this.turns = turns;
  }

  get isLive(): boolean {
    return this.process.stage !== "dead" && this.process.stage !== "exiting" && !this.site.isDead;
  }
}

/** A kernel on the machine, with what runs it: the system's own OS process, or a simulated carrier. */
export class Site {
  readonly title: string;
  readonly parent: Site | null;
  readonly children: Set<Site> = new Set();
  readonly platform: Platform;
  kernel: Kernel = undefined as never;
  step: (process: AnyProcess) => void = undefined as never;
  isDead = false;
  stoppedUntilMs: Milliseconds = 0;
  /** Ends it from outside, for the reason that its processes get; set by its carrier. */
  lose: (cause: unknown) => void = () => {};
  /** Lets no signal through in either direction for so long; set by its carrier. */
  cut: (durationMs: Milliseconds) => void = () => {};

  constructor(title: string, parent: Site | null, platform: Platform) {
    this.title = title;
    this.parent = parent;
    this.platform = platform;
  }
}
