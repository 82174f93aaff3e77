/**
 * Frames: how items cross a byte stream. A frame is a length (4 bytes, little-endian) and a msgpack array of items.
 *
 * Many items share a frame, and in a frame of many each kind of object is described once. A frame says all of itself, so
 * reader and writer keep no state in common.
 * Limit: one item's frame is at most `frameMaxBytes`; a larger message fails in its sender, and a stream that announces
 * a larger frame is not one of ours.
 *
 * @module
 */
import { Packr } from "msgpackr/pack";
import { MessageTooLargeError } from "../kernel/signal.ts";
import type { Item } from "./hosted-kernel.ts";

/** The largest frame, without its length, in bytes. */
export const frameMaxBytes: number = 64 * 2 ** 20;
/** A batch of items is packed when it is about this long, in bytes, even if more follow in the same turn. */
const batchTargetBytes = 256 * 2 ** 10;
/** An item that may be larger than this, in bytes, is measured before it is taken. */
const measuredFromBytes = 2 ** 20;
/** Items from which describing each kind of object once is quicker than naming its keys each time. */
const recordsFromItems = 12;
const lengthBytes = 4;

const keyed = new Packr({ useRecords: false });
const described = new Packr({ useRecords: true, mapsAsObjects: true, copyBuffers: true });

/** Collects items and gives frames. */
export class FrameWriter {
  #items: Item[] = [];
  #estimatedBytes = 0;
  #frames: Buffer[] = [];

  /** @throws MessageTooLargeError, and then the item is not part of any frame. */
  add(item: Item): void {
    const estimatedBytes = estimateBytes(item, measuredFromBytes);
    if (estimatedBytes >= measuredFromBytes) {
      this.#addLarge(item);
      return;
    }
    this.#items.push(item);
    this.#estimatedBytes += estimatedBytes;
    if (this.#estimatedBytes >= batchTargetBytes) this.#pack();
  }

  #addLarge(item: Item): void {
    const frame = frameOf([item]);
    const sizeBytes = frame.length - lengthBytes;
    if (sizeBytes > frameMaxBytes) throw new MessageTooLargeError(sizeBytes, frameMaxBytes);
    this.#pack();
    this.#frames.push(frame);
  }

  #pack(): void {
    if (this.#items.length === 0) return;
    this.#frames.push(frameOf(this.#items));
    this.#items = [];
    this.#estimatedBytes = 0;
  }

  /** The frames of what was added since the last call. */
  take(): readonly Buffer[] {
    this.#pack();
    const frames = this.#frames;
    this.#frames = [];
    return frames;
  }

  /** About the bytes that wait for `take`. */
  get waitingBytes(): number {
    let waitingBytes = this.#estimatedBytes;
    for (const frame of this.#frames) waitingBytes += frame.length;
    return waitingBytes;
  }
}

/** Packs many items as frames do, without a length. The caller owns the bytes, which fill their buffer. */
export function packItems(items: readonly Item[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(described.pack(items));
}

/** The items of `packItems`; what is bytes in them is copied. */
export function unpackItems(bytes: Uint8Array): readonly Item[] {
  const items: unknown = described.unpack(bytes);
  if (!Array.isArray(items)) throw new Error("a frame that holds no array");
  return items as readonly Item[];
}

function frameOf(items: readonly Item[]): Buffer {
  const packed = (items.length < recordsFromItems ? keyed : described).pack(items);
  const frame = Buffer.allocUnsafe(lengthBytes + packed.length);
  frame.writeUInt32LE(packed.length, 0);
  frame.set(packed, lengthBytes);
  return frame;
}

/** About how many bytes the text and bytes in `value` take; stops counting at `enoughBytes`. */
function estimateBytes(value: unknown, enoughBytes: number): number {
  if (typeof value === "string") return 3 * value.length;
  if (typeof value !== "object" || value === null) return 9;
  if (value instanceof Uint8Array) return value.length + 5;
  let bytes = 5;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length && bytes < enoughBytes; index += 1) {
      bytes += estimateBytes(value[index], enoughBytes);
    }
    return bytes;
  }
  for (const key in value) {
    if (bytes >= enoughBytes) break;
    bytes += 3 * key.length + estimateBytes((value as Record<string, unknown>)[key], enoughBytes);
  }
  return bytes;
}

/** Cuts a byte stream into frames. */
export class FrameReader {
  readonly #receive: (items: readonly Item[]) => void;
  /** Of a frame that is not complete yet. */
  #chunks: Buffer[] = [];
  #heldBytes = 0;
  #neededBytes = lengthBytes;

  constructor(receive: (items: readonly Item[]) => void) {
    this.#receive = receive;
  }

  /** @throws Error when the bytes are no frames. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes < this.#neededBytes) return;
    let buffer = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    this.#neededBytes = lengthBytes;
    while (buffer.length >= lengthBytes) {
      const sizeBytes = buffer.readUInt32LE(0);
      if (sizeBytes > frameMaxBytes) throw new Error(`a frame of ${sizeBytes} bytes; the largest is ${frameMaxBytes}`);
      const end = lengthBytes + sizeBytes;
      this.#neededBytes = end;
      if (buffer.length < end) break;
      this.#neededBytes = lengthBytes;
      // Not as a Buffer, so that bytes in messages arrive as Uint8Array.
      this.#receive(unpackItems(new Uint8Array(buffer.buffer, buffer.byteOffset + lengthBytes, sizeBytes)));
      buffer = buffer.subarray(end);
    }
    this.#chunks = buffer.length === 0 ? [] : [buffer];
    this.#heldBytes = buffer.length;
  }
}
