import { defineProgram, type Pid, type Process } from "colos";

/** Says what it is told. */
export default defineProgram(async (self: Process<unknown>, listener: Pid<unknown>) => {
  self.ready();
  for (;;) self.send(listener, await self.receive());
});
