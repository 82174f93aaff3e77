/**
 * Thread uplink: what runs first in a worker thread of the thread carrier.
 *
 * @module
 */
import process from "node:process";
import { workerData, type MessagePort } from "node:worker_threads";
import { runHostedKernel, type HostedKernel, type HostedKernelHost, type Item } from "./hosted-kernel.ts";
import { itemsUnderWayMax, ThreadChannel } from "./thread-channel.ts";

/** Exit code of a thread whose parent takes nothing of what it sends. */
const channelFullExitCode = 70;

/** Waits for the boot and runs its program. Called once, by the composition's entry file. */
export function runThread(host: HostedKernelHost): void {
  const { port } = workerData as { port: MessagePort };
  let hosted: HostedKernel | null = null;
  const channel = new ThreadChannel(port, {
    receive: (items) => items.forEach(dispatch),
    full: () => {
      host.platform.log("error", `more than ${itemsUnderWayMax} signals wait for the parent of this thread`);
      process.exit(channelFullExitCode);
    },
  });
  const dispatch = (item: Item): void => {
    if (item[0] === "boot") hosted = runHostedKernel(item[1], channel, host);
    else if (item[0] !== "ending" && item[0] !== "stopping" && item[0] !== "goodbye") hosted?.receive(item);
  };
}
