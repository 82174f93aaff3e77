import { defineProgram, type Pid, type Process } from "colos";

/** Takes its whole carrier and never gives it back. */
export default defineProgram(async (self: Process<unknown>, listener: Pid<unknown>) => {
  self.ready();
  self.send(listener, "busy\n");
  await self.yield();
  for (;;);
});
