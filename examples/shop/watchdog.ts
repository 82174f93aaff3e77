/**
 * Finds out that the pricing thread hangs, and ends it; its supervisor starts a new one.
 */
import { call, defineProgram, type AnyProcess } from "colos";
import type { PricingRequest } from "./messages.ts";

const everyMs = 1000;
const patienceMs = 1000;

export default defineProgram(async (self: AnyProcess) => {
  for (;;) {
    await self.sleep(everyMs);
    const pid = self.whereis("pricing");
    if (pid === undefined) continue;
    try {
      await call(self, pid, { type: "ping" } satisfies PricingRequest, patienceMs);
    } catch {
      console.log(`pricing did not answer within ${patienceMs} ms and is killed`);
      self.exit(pid, "kill");
    }
  }
});
