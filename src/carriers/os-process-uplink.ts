/**
 * OS process uplink: what runs first in a child of the os-process carrier.
 *
 * @module
 */
import { Socket } from "node:net";
import process from "node:process";
import { isSignal, runHostedKernel, type HostedKernel, type HostedKernelHost, type Item } from "./hosted-kernel.ts";
import { OsProcessChannel } from "./os-process-channel.ts";

/** Exit code of a child whose parent takes nothing of what it sends. */
const channelFullExitCode = 70;
/** Exit code of a child that was not started as one. */
const usageExitCode = 64;

/** Waits for the boot and runs its program. Called once, by the composition's entry file. */
export function runOsProcess(host: HostedKernelHost): void {
  const channelFd = Number(process.argv[2]);
  if (!Number.isInteger(channelFd)) {
    process.stderr.write("this file is started by colos, not by people\n");
    process.exit(usageExitCode);
  }
  if (process.env["LISTEN_FDS"] !== undefined) process.env["LISTEN_PID"] = String(process.pid);
  writeOutputAtOnce();
  let hosted: HostedKernel | null = null;
  const stopScript = (): void => void process.kill(process.pid, "SIGTERM");
  const orphaned = (cause: unknown): void => {
    if (hosted === null) process.exit(1);
    hosted.orphaned(cause);
  };
  const channel = new OsProcessChannel(new Socket({ fd: channelFd, readable: true, writable: false }), {
    receive: (items) => items.forEach(dispatch),
    malformed: (description) => orphaned({ tag: "protocol", description }),
    ended: () => orphaned({ tag: "parentGone" }),
    room: () => hosted?.room(),
    full: () => {
      host.platform.log("error", "too many bytes wait for the parent of this program");
      process.exit(channelFullExitCode);
    },
  });
  const dispatch = (item: Item): void => {
    if (item[0] === "boot") hosted = runHostedKernel(item[1], channel, { ...host, stopScript });
    else if (isSignal(item)) hosted?.receive(item);
  };
}

/**
 * Node queues what a full pipe does not take and drops it in `process.exit()`; the parent always reads, so waiting for it
 * is short. Not in Node's types, and as old as Node's streams.
 */
function writeOutputAtOnce(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const { _handle: handle } = stream as { _handle?: { setBlocking?(blocking: boolean): void } };
    if (stream instanceof Socket && !stream.isTTY) handle?.setBlocking?.(true);
  }
}
