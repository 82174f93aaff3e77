import process from "node:process";
import { defineProgram, type Pid, type Process } from "colos";

/** Says a lot and ends its carrier in the same breath. */
export default defineProgram((self: Process<unknown>, listener: Pid<unknown>, count: number, code: number) => {
  for (let index = 0; index < count; index += 1) self.send(listener, index);
  process.exit(code);
});
