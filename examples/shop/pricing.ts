/**
 * Prices need heavy arithmetic, so they are computed on a thread of their own.
 */
import { defineServer, type Server } from "colos";
import type { PricingRequest } from "./messages.ts";

class Pricing implements Server<PricingRequest> {
  handleCall(request: PricingRequest): unknown {
    switch (request.type) {
      case "ping":
        return "pong";
      case "quote":
        return Math.round(request.total * discount() * 100) / 100;
      case "loop":
        for (;;); // What a bug looks like from outside: the thread never answers again.
    }
  }
}

/** A discount that takes some work to find: the share of primes below a hundred thousand. */
function discount(): number {
  const limit = 100_000;
  const composite = new Uint8Array(limit);
  let primes = 0;
  for (let candidate = 2; candidate < limit; candidate += 1) {
    if (composite[candidate] === 1) continue;
    primes += 1;
    for (let multiple = candidate * candidate; multiple < limit; multiple += candidate) composite[multiple] = 1;
  }
  return 1 - primes / limit;
}

console.log("prices can be asked for");

export default defineServer(() => new Pricing());
