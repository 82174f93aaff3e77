import { defineProgram, type Process } from "colos";

/** Ends at once: with `reason`, by a crash where that is the word `crash`, or normally without one. */
export default defineProgram((self: Process<unknown>, reason?: unknown) => {
  if (reason === "crash") throw new RangeError("one too many");
  if (reason !== undefined) self.exit(reason);
});
