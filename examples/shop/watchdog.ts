/**
 * Finds out that the pricing thread hangs, and kills it; its supervisor starts a new one.
 */
import { call, defineProgram, Exit, isTagged, type AnyProcess } from "colos";
import type { PricingRequest } from "./messages.ts";

const everyMs = 1000;
const patienceMs = 2000;

export default defineProgram(async (self: AnyProcess) => {
  for (;;) {
    await self.sleep(everyMs);
    const pricing = self.whereis("pricing");
    if (pricing === undefined) continue; // It is between two lives.
    try {
      await call(self, pricing, { type: "ping" } satisfies PricingRequest, patienceMs);
    } catch (error) {
      if (!isTimeout(error)) continue; // It has ended by itself.
      console.log(`pricing did not answer within ${patienceMs} ms and is killed`);
      self.exit(pricing, "kill");
    }
  }
});

function isTimeout(error: unknown): boolean {
  return error instanceof Exit && isTagged(error.reason, "call") && error.reason["reason"] === "timeout";
}
