import { defineProgram, type Pid, type Process } from "colos";

/** Answers `[sender, value]` with `value`, and `["exit", reason]` with its end. */
export default defineProgram(async (self: Process<readonly [Pid<unknown> | "exit", unknown]>) => {
  self.ready();
  for (;;) {
    const [to, value] = await self.receive();
    if (to === "exit") self.exit(value);
    self.send(to, value);
  }
});
