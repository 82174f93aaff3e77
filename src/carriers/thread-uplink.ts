/**
 * Thread uplink: what runs first in a worker thread of the thread carrier.
 *
 * @module
 */
import process from "node:process";
import { workerData, type MessagePort } from "node:worker_threads";
import { isSignal, runHostedKernel, type HostedKernel, type HostedKernelHost, type Item } from "./hosted-kernel.ts";
import { ThreadChannel } from "./thread-channel.ts";

/** Exit code of a thread whose parent takes nothing of what it sends. */
const channelFullExitCode = 70;

/** Waits for the boot and runs its program. Called once, by the composition's entry file. */
export function runThread(host: HostedKernelHost): void {
  const { port } = workerData as { port: MessagePort };
  let hosted: HostedKernel | null = null;
  const channel = new ThreadChannel(port, {
    receive: (items) => items.forEach(dispatch),
    room: () => hosted?.room(),
    full: () => {
      host.platform.log("error", `${channel.state.waitingBytes} bytes wait for the parent of this thread: too many`);
      process.exit(channelFullExitCode);
    },
  });
  const dispatch = (item: Item): void => {
    if (item[0] === "boot") hosted = runHostedKernel(item[1], channel, host);
    else if (isSignal(item)) hosted?.receive(item);
  };
}
