/**
 * Descriptor reserve: file descriptors that the daemon keeps, so that it still answers when it has no others.
 *
 * A daemon that starts and checks services until its last file descriptor is gone refuses every connection, just when people ask what is
 * wrong. So some are kept from the beginning. Without any other the reserve is given up, `shortage` says so, and whoever is about to
 * start or check something asks first; what is left is for the control API and for looks.
 * Guarantees: the reserve is taken back, and the shortage over, when there is room for it and for `marginCount` more. What is kept has
 * low numbers, so it helps also against a limit that was lowered below what is in use.
 * Limits: a connection that comes between the last descriptor and the next look is closed without an answer; it may be tried again.
 *
 * @module
 */
import { closeSync, openSync } from "node:fs";
import type { Clock } from "../base/platform.ts";

/** File descriptors that are kept. */
export const reserveCount = 8;
/** How many more must be there before things are started again. */
export const marginCount = 4;
/** Milliseconds between two looks. */
export const reserveLookMs = 250;

export interface DescriptorReserveOptions {
  readonly clock: Clock;
  /** A shortage begins, with a sentence, or is over. */
  onChange(sentence: string | undefined): void;
  /** Opens one, for tests. @throws with the code EMFILE */
  readonly open?: () => number;
  readonly close?: (fd: number) => void;
}

export class DescriptorReserve {
  readonly #options: DescriptorReserveOptions;
  readonly #open: () => number;
  readonly #close: (fd: number) => void;
  readonly #kept: number[] = [];
  #shortage: string | undefined;
  #cancel: () => void = () => {};

  /** Begins to keep and to look. */
  constructor(options: DescriptorReserveOptions) {
    this.#options = options;
    this.#open = options.open ?? (() => openSync("/dev/null", "r"));
    this.#close = options.close ?? closeSync;
    if (!this.#fill(reserveCount)) this.#begin();
    this.#lookLater();
  }

  /** Why nothing new may be begun; undefined: it may. */
  get shortage(): string | undefined {
    return this.#shortage;
  }

  /** Looks now: somebody was refused one. */
  look(): void {
    if (this.#shortage === undefined) {
      if (this.#isOneLeft()) return;
      this.#begin();
    } else if (this.#fill(reserveCount + marginCount)) {
      this.#empty(reserveCount);
      this.#shortage = undefined;
      this.#options.onChange(undefined);
    } else this.#empty();
  }

  close(): void {
    this.#cancel();
    this.#empty();
  }

  #lookLater(): void {
    this.#cancel = this.#options.clock.timer(reserveLookMs, () => {
      this.#lookLater();
      this.look();
    });
  }

  #begin(): void {
    this.#empty();
    this.#shortage =
      "colos has no more file descriptors, so it starts and checks nothing until there are some; allow it more (ulimit -n)";
    this.#options.onChange(this.#shortage);
  }

  #isOneLeft(): boolean {
    const fd = this.#tryOpen();
    if (fd !== undefined) this.#close(fd);
    return fd !== undefined;
  }

  /** Whether so many are kept now. */
  #fill(count: number): boolean {
    while (this.#kept.length < count) {
      const fd = this.#tryOpen();
      if (fd === undefined) return false;
      this.#kept.push(fd);
    }
    return true;
  }

  #empty(leftCount = 0): void {
    for (const fd of this.#kept.splice(leftCount)) this.#close(fd);
  }

  #tryOpen(): number | undefined {
    try {
      return this.#open();
    } catch {
      return undefined;
    }
  }
}
