/**
 * OS process uplink: what runs first in a child of the os-process carrier.
 *
 * Writes go to the socket directly, as much as it takes, and the rest a little later: so there is no queue but our own,
 * and what was sent can still be written while Node exits.
 *
 * @module
 */
import { writeSync } from "node:fs";
import { Socket } from "node:net";
import process from "node:process";
import type { Milliseconds } from "../base/platform.ts";
import { runHostedKernel, type HostedKernel, type HostedKernelHost, type Item, type Uplink } from "./hosted-kernel.ts";
import { FrameReader, FrameWriter } from "./os-process-frame.ts";

/** Bytes that wait for the parent; more, and this OS process ends with `channelFullExitCode`. */
export const uplinkWaitingMaxBytes: number = 256 * 2 ** 20;
/** Exit code when the parent takes nothing of what is sent. */
export const channelFullExitCode = 70;
/** How long the last frames may take to be written while Node exits, in milliseconds. */
export const exitFlushMs: Milliseconds = 2000;
/** Pause before a socket that was full is tried again, in milliseconds. */
const retryMs: Milliseconds = 1;

/** Waits for the boot and runs its program. Called once, by the composition's entry file. */
export function runOsProcess(host: HostedKernelHost): void {
  const channelFd = Number(process.argv[2]);
  if (process.env["LISTEN_FDS"] !== undefined) process.env["LISTEN_PID"] = String(process.pid);
  let hosted: HostedKernel | null = null;
  const stopScript = (): void => void process.kill(process.pid, "SIGTERM");
  const uplink = new SocketUplink(channelFd, {
    receive(items) {
      for (const item of items) {
        if (item[0] === "boot") hosted = runHostedKernel(item[1], uplink, { ...host, stopScript });
        else if (item[0] !== "ending" && item[0] !== "stopping" && item[0] !== "goodbye") hosted?.receive(item);
      }
    },
    lost(cause) {
      if (hosted === null) process.exit(1);
      hosted.orphaned(cause);
    },
    full() {
      host.platform.log("error", `more than ${uplinkWaitingMaxBytes} bytes wait for the parent of this program`);
      process.exit(channelFullExitCode);
    },
  });
}

interface UplinkEvents {
  receive(items: readonly Item[]): void;
  lost(cause: unknown): void;
  full(): void;
}

class SocketUplink implements Uplink {
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #events: UplinkEvents;
  readonly #writer = new FrameWriter();
  /** Packed and not written. */
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #planned = false;
  #open = true;
  readonly #turn = (): void => {
    this.#planned = false;
    this.#write();
  };

  constructor(fd: number, events: UplinkEvents) {
    this.#fd = fd;
    this.#events = events;
    const reader = new FrameReader((items) => events.receive(items));
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.on("data", (chunk) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.#lose({ tag: "protocol", description: String(error) });
      }
    });
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => this.#lose({ tag: "parentGone" }));
  }

  send(item: Item): void {
    if (!this.#open) return;
    this.#writer.add(item);
    if (this.#writer.waitingBytes + this.#queuedBytes > uplinkWaitingMaxBytes) {
      this.#open = false;
      this.#events.full();
      return;
    }
    if (this.#planned) return;
    this.#planned = true;
    queueMicrotask(this.#turn);
  }

  /** Writes what the socket takes, and comes back for the rest. */
  #write(): void {
    if (!this.#writeSome() || this.#planned) return;
    this.#planned = true;
    setTimeout(this.#turn, retryMs);
  }

  /** True when something is left to write. */
  #writeSome(): boolean {
    for (const frame of this.#writer.take()) {
      this.#queue.push(frame);
      this.#queuedBytes += frame.length;
    }
    while (this.#open && this.#queue.length > 0) {
      const frames = this.#queue.length === 1 ? (this.#queue[0] as Buffer) : Buffer.concat(this.#queue);
      this.#queue = [frames];
      const writtenBytes = this.#tryWrite(frames);
      this.#queuedBytes -= writtenBytes;
      this.#queue = writtenBytes === frames.length ? [] : [frames.subarray(writtenBytes)];
      if (writtenBytes === 0) return this.#open;
    }
    return false;
  }

  #tryWrite(frames: Buffer): number {
    try {
      return writeSync(this.#fd, frames);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") this.#lose({ tag: "parentGone" });
      return 0;
    }
  }

  flush(): void {
    const deadlineMs = performance.now() + exitFlushMs;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    while (this.#writeSome() && performance.now() < deadlineMs) Atomics.wait(pause, 0, 0, retryMs);
  }

  keepAlive(alive: boolean): void {
    if (alive) this.#socket.ref();
    else this.#socket.unref();
  }

  #lose(cause: unknown): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.destroy();
    this.#events.lost(cause);
  }
}
