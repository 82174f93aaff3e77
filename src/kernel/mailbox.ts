/**
 * Mailbox: the messages one process has received and not yet taken, in arrival order.
 *
 * Guarantees: `take` removes the first message that matches and leaves all others in place and in order
 * (selective receive, OTP M4, M5).
 * Limit: `messagesMax`; what happens at the limit is the mailbox's policy and is carried out by the kernel.
 * A process whose messages leave this heap at once has an `Intake` in place of it.
 * Unlike Erlang: messages are not copied inside one heap, so a sender must not change what it sent.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { assertAboveZero, assertLimit } from "./argument.ts";

/** Messages a mailbox holds unless its process says otherwise. Erlang has no limit and runs out of memory instead. */
export const messagesMaxDefault = 1_000_000;

/** What happens to a message that finds the mailbox full. */
export type MailboxPolicy =
  /** It is dropped and counted. */
  | "dropNewest"
  /** The oldest message that is not the kernel's own (an exit, a down) is dropped and counted. */
  | "dropOldest"
  /** `send` throws `MailboxFullError` in the sender; from another carrier it is dropped and counted. */
  | "failSender"
  /** It is taken, and its sender is held at its next await until there is room (gate.ts), also on another carrier. */
  | "block"
  /** The receiver ends with `{ tag: "mailboxFull" }`: its supervisor decides. The default. */
  | "endReceiver";

/** How much a mailbox holds and what happens beyond that. */
export interface MailboxLimit {
  /** Messages; default `messagesMaxDefault`. */
  readonly messagesMax?: number;
  /** Bytes, where messages are bytes: what waits for a command's standard input. Its default is the carrier's. */
  readonly bytesMax?: number;
  /** Default `endReceiver`. */
  readonly policy?: MailboxPolicy;
  /** With `block`: how long a sender is held, in milliseconds, before it gets a `HeldTooLongError`; default 60,000. */
  readonly heldMaxMs?: Milliseconds;
}

const policies: readonly MailboxPolicy[] = ["dropNewest", "dropOldest", "failSender", "block", "endReceiver"];

/** @throws Error, RangeError for what is no limit. */
export function assertMailboxLimit(limit: MailboxLimit): void {
  assertLimit("mailbox", limit, policies);
  const { messagesMax, bytesMax, heldMaxMs } = limit;
  assertAboveZero("mailbox", { messagesMax, bytesMax, heldMaxMs });
}

/** The limit that was reached. */
export type MailboxBound =
  | { readonly messagesMax: number }
  | { readonly bytesMax: number }
  /** Messages that a held sender has sent all the same. */
  | { readonly overshootMax: number };

/**
 * What takes a process's messages in place of its mailbox, where they leave this heap at once, such as into a pipe.
 * What the kernel itself has to say (exits, downs) still comes through the mailbox.
 */
export interface Intake {
  /** Messages taken and not passed on yet; with none, there is room for any message. */
  readonly size: number;
  readonly bytesMax: number;
  /** Set by the kernel: called when there is room for many messages again. */
  onRoom?: (() => void) | null;
  /**
   * Takes a copy of `message` while its sender waits; false when there is no room for it and it is not `forced` in.
   * @throws UncopyableError: `send` throws it in the sender, and nothing was sent.
   */
  take(message: unknown, forced: boolean): boolean;
  /** Forgets the oldest message that was not passed on yet; false when there is none. */
  dropOldest(): boolean;
}

/**
 * Thrown in the sender when the receiver's mailbox is full and its policy is `failSender`; with `block`, when the sender
 * awaits nothing or is no process, so that it cannot be held.
 */
export class MailboxFullError extends Error {
  constructor(to: string, limit: MailboxBound) {
    super(`the mailbox of ${to} is full (${describeBound(limit)}`);
    this.name = "MailboxFullError";
  }
}

function describeBound(limit: MailboxBound): string {
  if ("bytesMax" in limit) return `${limit.bytesMax} bytes); slow down or raise mailbox.bytesMax`;
  if ("messagesMax" in limit) return `${limit.messagesMax} messages); slow down or raise mailbox.messagesMax`;
  return `${limit.overshootMax} messages were sent to it since); await something, such as self.yield(), between messages`;
}

/** Messages in one block. A long queue is a row of blocks, so that growing and removing never move all of it. */
const blockItemsMax = 1024;

/** What mailboxes share that never were long. */
const noBlocks: unknown[][] = [];

/** A queue with removal from the middle. */
export class Mailbox {
  /** The oldest block, taken from at `#head`; what stands before that was taken. */
  #front: unknown[] = [];
  #head = 0;
  /** The block that is added to; the front one while the queue is short. */
  #back: unknown[] = this.#front;
  /** The blocks after the front one, the back one last; none of them is empty. */
  #later: unknown[][] = noBlocks;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(message: unknown): void {
    this.#size += 1;
    if (this.#back.length < blockItemsMax) this.#back.push(message);
    else this.#pushBlock(message);
  }

  #pushBlock(message: unknown): void {
    this.#back = [message];
    if (this.#later === noBlocks) this.#later = [];
    this.#later.push(this.#back);
  }

  /** The oldest message; only when `size` is not 0. */
  shift(): unknown {
    const front = this.#front;
    const message = front[this.#head];
    front[this.#head] = undefined;
    this.#head += 1;
    this.#size -= 1;
    if (this.#head === front.length) this.#dropFront();
    return message;
  }

  #dropFront(): void {
    this.#head = 0;
    const next = this.#later.shift();
    if (next === undefined) this.#front.length = 0;
    else this.#front = next;
  }

  /** Where the first message that matches stands, or -1. */
  find(match: (message: unknown) => boolean): number {
    let before = -this.#head;
    let start = this.#head;
    for (let number = -1; number < this.#later.length; number += 1) {
      const block = this.#block(number);
      for (let index = start; index < block.length; index += 1) {
        if (match(block[index])) return before + index;
      }
      before += block.length;
      start = 0;
    }
    return -1;
  }

  /** Removes the message at `position`, counted from the oldest. */
  takeAt(position: number): unknown {
    let number = -1;
    let index = this.#head + position;
    for (let block = this.#front; index >= block.length; block = this.#block(number)) {
      index -= block.length;
      number += 1;
    }
    return number === -1 ? this.#takeFromFront(index) : this.#takeFromLater(number, index);
  }

  /** Moves up what is older. */
  #takeFromFront(index: number): unknown {
    const front = this.#front;
    const message = front[index];
    for (let place = index; place > this.#head; place -= 1) front[place] = front[place - 1];
    this.shift();
    return message;
  }

  #takeFromLater(number: number, index: number): unknown {
    const block = this.#block(number);
    this.#size -= 1;
    const [message] = block.splice(index, 1);
    if (block.length === 0) {
      this.#later.splice(number, 1);
      this.#back = this.#block(this.#later.length - 1);
    }
    return message;
  }

  /** The front block is number -1, those after it follow from 0 on. */
  #block(number: number): unknown[] {
    return this.#later[number] ?? this.#front;
  }

  /** Removes the oldest message that `mayDrop`; false when there is none. */
  dropOldest(mayDrop: (message: unknown) => boolean): boolean {
    const position = this.find(mayDrop);
    if (position >= 0) this.takeAt(position);
    return position >= 0;
  }

  /** The messages, oldest first, at most `countMax`. */
  peek(countMax: number): unknown[] {
    const messages: unknown[] = [];
    this.find((message) => {
      if (messages.length < countMax) messages.push(message);
      return messages.length >= countMax;
    });
    return messages;
  }
}
