import { spawn } from "node:child_process";
import { defineProgram, type Pid, type Process } from "colos";

/** Has an OS process of its own that would outlive it and holds its output open. */
export default defineProgram(async (self: Process<unknown>, listener: Pid<unknown>) => {
  const child = spawn("sleep", ["1000"], { stdio: ["ignore", "inherit", "inherit"] });
  self.send(listener, child.pid);
  await self.receive();
});
