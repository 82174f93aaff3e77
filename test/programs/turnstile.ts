import { defineStateMachine, keepState, nextState, postpone, replyTo, stateTimeout } from "colos";
import type { MachineEvent, StateFunctions } from "colos";

interface Turnstile {
  coin(): "unlocked" | "kept";
  push(): "through";
}

interface TurnstileTypes {
  readonly state: "locked" | "unlocked";
  readonly methods: Turnstile;
}

/** Lets one person through per coin; who pushes first waits for a coin. */
class TurnstileMachine implements StateFunctions<TurnstileTypes> {
  init() {
    return nextState("locked");
  }

  locked(event: MachineEvent<TurnstileTypes>) {
    if (event.type !== "call") return undefined;
    if (event.method === "push") return keepState(postpone);
    return nextState("unlocked", replyTo(event.from, "unlocked"), stateTimeout(60_000));
  }

  unlocked(event: MachineEvent<TurnstileTypes>) {
    if (event.type === "stateTimeout") return nextState("locked");
    if (event.type !== "call") return undefined;
    if (event.method === "push") return nextState("locked", replyTo(event.from, "through"));
    return keepState(replyTo(event.from, "kept"));
  }
}

export default defineStateMachine(() => new TurnstileMachine());
