/**
 * The other side of `carriers.mjs` as a program of colos.
 *
 * @module
 */
import { defineProgram } from "../dist/index.js";
import { flood } from "./carriers-message.mjs";

export default defineProgram(async (self, parent) => {
  for (;;) {
    const message = await self.receive();
    if (message.trip !== undefined) {
      self.send(parent, message);
    } else if (message.expect !== undefined) {
      for (let taken = 0; taken < message.expect; taken += 1) await self.receive();
      self.send(parent, "done");
    } else {
      await flood(
        message.flood,
        (each) => self.send(parent, each),
        () => self.yield(),
      );
    }
  }
});
