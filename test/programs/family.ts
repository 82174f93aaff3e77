import process from "node:process";
import { defineProgram, type Pid, type Process } from "colos";

/** Has further processes beside it, and takes all of them down when it is told to. */
export default defineProgram(async (self: Process<unknown>, listener: Pid<unknown>, innerCount: number) => {
  for (let index = 0; index < innerCount; index += 1) {
    self.send(
      listener,
      self.spawn((inner: Process<unknown>) => inner.receive()),
    );
  }
  self.ready();
  self.send(listener, "ready\n");
  await self.receive((message) => message === "end the carrier");
  process.exit(7);
});
