import { defineProgram, program, type Pid, type Process } from "colos";

/** Starts a program on a carrier below its own and tells of it. */
export default defineProgram(async (self: Process<unknown>, listener: Pid<unknown>, carrier: string) => {
  const inner = await self.start(program("./answer.ts", import.meta.url), { carrier, link: false });
  self.send(listener, inner);
  await self.receive((message) => message === "end");
});
