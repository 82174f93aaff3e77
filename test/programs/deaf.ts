import { defineProgram, type Process } from "colos";

/** Takes no message. */
export default defineProgram(async (self: Process<unknown>) => {
  await self.receive(() => false);
});
