import { defineProgram, type Pid, type Process } from "colos";

/** Takes `count` messages, a turn of the event loop for each, and tells how many waited for it at most. */
export default defineProgram(async (self: Process<unknown>, listener: Pid<unknown>, count: number) => {
  let waitingMax = 0;
  let lengthSum = 0;
  for (let index = 0; index < count; index += 1) {
    waitingMax = Math.max(waitingMax, self.info()?.messagesCount ?? 0);
    lengthSum += ((await self.receive()) as Uint8Array).length;
    await self.wait(new Promise((resolve) => setImmediate(resolve)));
  }
  self.send(listener, { waitingMax, lengthSum });
});
