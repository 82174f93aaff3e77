/**
 * Frames: how items cross a byte stream. A frame is a length (4 bytes, little-endian) and a msgpack array of items.
 *
 * Many items share a frame. In a frame of many, each kind of object is described once, and the receiver of several
 * messages in a row is named once: a flood to one process travels as a list of what was sent. A frame says all of itself, so
 * reader and writer keep no state in common.
 * Limit: one item's frame is at most `frameMaxBytes`; a larger message fails in its sender, and a stream that announces
 * a larger frame is not one of ours.
 *
 * @module
 */
import { Packr, RESERVE_START_SPACE } from "msgpackr/pack";
import { MessageTooLargeError } from "../kernel/signal.ts";
import type { WireValue } from "../kernel/wire.ts";
import type { Item } from "./hosted-kernel.ts";

/** The largest frame, without its length, in bytes. */
export const frameMaxBytes: number = 64 * 2 ** 20;
/** An item that is estimated to be larger than this, in bytes, is packed and measured before it is taken. */
export const measuredFromBytes: number = 2 ** 18;
/** Items from which describing each kind of object once is quicker than naming its keys each time. */
const recordsFromItems = 12;
const lengthBytes = 4;
/** Nearly all frames fit; what does not gets a buffer of its own. */
const scratchBytes = 192 * 2 ** 10;

const keyed = new Packr({ useRecords: false });
const described = new Packr({ useRecords: true, mapsAsObjects: true, copyBuffers: true });

/** Where everything is packed first: a fresh buffer for each frame would be most of the garbage. */
const scratch = Buffer.allocUnsafeSlow(scratchBytes);

/** Packs many items as frames do, without a length. The caller owns the bytes, which fill their buffer. */
export function packItems(items: readonly Item[]): Uint8Array<ArrayBuffer> {
  described.useBuffer(scratch);
  return new Uint8Array(described.pack(inRows(items)));
}

/** Messages in a row to one process as one item. */
function inRows(items: readonly Item[]): readonly Item[] {
  const rows: Item[] = [];
  let row: WireValue[] = [];
  let kernelId = "";
  let serial: number | string = -1;
  for (const item of items) {
    if (item[0] !== "message") {
      serial = -1;
      rows.push(item);
    } else if (item[2] === serial && item[1] === kernelId) {
      row.push(item[3]);
    } else {
      row = [item[3]];
      [, kernelId, serial] = item;
      rows.push(["messages", kernelId, serial, row]);
    }
  }
  return rows;
}

/** The items of `packItems`, with messages in a row as one item; what is bytes in them is copied. */
export function unpackItems(bytes: Uint8Array): readonly Item[] {
  const items: unknown = described.unpack(bytes);
  if (!Array.isArray(items)) throw new Error("a frame that holds no array");
  return items as readonly Item[];
}

/** One frame with its length, valid until the next is packed. @throws MessageTooLargeError */
export function frameOf(items: readonly Item[]): Buffer {
  const isRow = items.length >= recordsFromItems;
  const packr = isRow ? described : keyed;
  packr.useBuffer(scratch);
  const frame = packr.pack(isRow ? inRows(items) : items, RESERVE_START_SPACE | lengthBytes);
  const sizeBytes = frame.length - lengthBytes;
  if (sizeBytes > frameMaxBytes) throw new MessageTooLargeError(sizeBytes, frameMaxBytes);
  frame.writeUInt32LE(sizeBytes, 0);
  return frame;
}

/** Cuts a byte stream into frames. It keeps no piece that it was given. */
export class FrameReader {
  readonly #receive: (items: readonly Item[], sizeBytes: number) => void;
  readonly #head = Buffer.alloc(lengthBytes);
  #headBytes = 0;
  /** The frame that is not complete yet. */
  #frame: Buffer | null = null;
  #frameBytes = 0;

  /** `receive` gets the items of a frame and what the frame took. */
  constructor(receive: (items: readonly Item[], sizeBytes: number) => void) {
    this.#receive = receive;
  }

  /** @throws Error when the bytes are no frames. */
  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#frame !== null) rest = this.#fill(this.#frame, rest);
      else if (this.#headBytes > 0 || rest.length < lengthBytes) rest = this.#fillHead(rest);
      else rest = this.#takeWhole(rest);
    }
  }

  /** Nearly always: a frame that arrived in one piece is read where it lies. */
  #takeWhole(bytes: Buffer): Buffer {
    const sizeBytes = sizeOf(bytes);
    const end = lengthBytes + sizeBytes;
    if (bytes.length < end) {
      this.#begin(sizeBytes);
      return bytes.subarray(lengthBytes);
    }
    this.#deliver(bytes.subarray(lengthBytes, end));
    return bytes.subarray(end);
  }

  #fillHead(bytes: Buffer): Buffer {
    const count = bytes.copy(this.#head, this.#headBytes);
    this.#headBytes += count;
    if (this.#headBytes === lengthBytes) this.#begin(sizeOf(this.#head));
    return bytes.subarray(count);
  }

  #begin(sizeBytes: number): void {
    this.#headBytes = 0;
    this.#frame = Buffer.allocUnsafe(sizeBytes);
    this.#frameBytes = 0;
    if (sizeBytes === 0) this.#fill(this.#frame, this.#frame);
  }

  #fill(frame: Buffer, bytes: Buffer): Buffer {
    const count = bytes.copy(frame, this.#frameBytes);
    this.#frameBytes += count;
    if (this.#frameBytes === frame.length) {
      this.#frame = null;
      this.#deliver(frame);
    }
    return bytes.subarray(count);
  }

  #deliver(frame: Buffer): void {
    // Not as a Buffer, so that bytes in messages arrive as Uint8Array.
    const bytes = new Uint8Array(frame.buffer, frame.byteOffset, frame.length);
    this.#receive(unpackItems(bytes), lengthBytes + frame.length);
  }
}

/** @throws Error when a frame cannot be as large. */
function sizeOf(head: Buffer): number {
  const sizeBytes = head.readUInt32LE(0);
  if (sizeBytes > frameMaxBytes) throw new Error(`a frame of ${sizeBytes} bytes; the largest is ${frameMaxBytes}`);
  return sizeBytes;
}
