/** Hosted: a program for an OS process of its own that waits for its end. */
import { defineProgram } from "colos";

export default defineProgram(async (self) => {
  await self.receive();
});
