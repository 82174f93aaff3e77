import { defineProgram, type Pid, type Process } from "colos";

/** Says numbered lines and ends. */
export default defineProgram((self: Process<unknown>, listener: Pid<unknown>, count: number) => {
  self.ready();
  for (let index = 0; index < count; index += 1) self.send(listener, `${index}\n`);
});
