/**
 * Corpus: programs for the cases that chance rarely meets, each with the sentence that it is about.
 *
 * A `pause` in them makes the interesting order likely; the others are legal too, so the model judges here as well.
 *
 * @module
 */
import type { Instruction, Match, Program, Reason, Role } from "./program.ts";

const settleMs = 2;

const pause: Instruction = { op: "pause", durationMs: settleMs };
const park: Instruction = { op: "park" };
const trap: Instruction = { op: "trapExit", on: true };
const go: Instruction = { op: "receive", match: "a", timeoutMs: null };

const spawn = (role: Role, how: "spawn" | "link" | "monitor" = "spawn"): Instruction => ({ op: "spawn", role, how });
const tell = (to: Role, tag: "a" | "b" = "a"): Instruction => ({ op: "send", to, tag });
const take = (match: Match, timeoutMs: number | null = null): Instruction => ({ op: "receive", match, timeoutMs });
const exit = (to: Role, reason: Reason): Instruction => ({ op: "exit", to, reason });
const leave = (reason: Reason): Instruction => ({ op: "exitSelf", reason });
const link = (to: Role): Instruction => ({ op: "link", to });
const unlink = (to: Role): Instruction => ({ op: "unlink", to });
const monitor = (to: Role): Instruction => ({ op: "monitor", to });
const demonitor = (at: number, flush: boolean): Instruction => ({ op: "demonitor", monitor: at, flush });
const register = (who: Role): Instruction => ({ op: "register", name: "x", who });

/** Programs by what they are about. */
export const corpus: Readonly<Record<string, Program>> = {
  "unlink leaves an exit that is queued": [
    [trap, spawn(1, "link"), pause, unlink(1), take("exit", 0)],
    [leave("boom")],
  ],
  "no exit comes after unlink": [
    [trap, spawn(1, "link"), unlink(1), tell(1), pause, take("any", 1)],
    [go, leave("boom")],
  ],
  "the other side's unlink counts": [
    [trap, spawn(1, "link"), take("any", null), tell(1), pause, take("exit", 0)],
    [unlink(0), tell(0), go, leave("boom")],
  ],
  "a renewed link gives one exit": [
    [trap, spawn(1, "link"), unlink(1), link(1), link(1), tell(1), take("exit"), take("exit", 2)],
    [go, leave("boom")],
  ],
  "a link that gave its exit is gone": [[trap, spawn(1, "link"), take("exit"), link(1), take("exit")], [leave("boom")]],
  "links from both sides are one link": [
    [trap, spawn(1), link(1), tell(1), take("exit"), take("exit", 2)],
    [link(0), go, leave("boom")],
  ],
  "demonitor with flush takes the down back": [
    [spawn(1, "monitor"), pause, demonitor(0, true), take("down", 1)],
    [leave("boom")],
  ],
  "demonitor without flush leaves the down": [
    [spawn(1, "monitor"), pause, demonitor(0, false), take("down", 1)],
    [leave("boom")],
  ],
  "demonitor in time keeps the down away": [
    [spawn(1, "monitor"), demonitor(0, false), demonitor(0, true), tell(1), pause, take("down", 1)],
    [go, leave("boom")],
  ],
  "each monitor gives its own down": [
    [spawn(1, "monitor"), monitor(1), monitor(1), demonitor(1, false), tell(1), take("down"), take("down"), park],
    [go, leave("boom")],
  ],
  "kill is seen as killed": [
    [trap, spawn(1, "link"), monitor(1), exit(1, "kill"), take("down"), take("exit")],
    [trap, park],
  ],
  "an own end with kill is seen as kill": [
    [trap, spawn(1, "link"), monitor(1), take("exit"), take("down")],
    [leave("kill")],
  ],
  "kill over a link ends with kill": [
    [spawn(1), monitor(1), take("any"), tell(1), take("down")],
    [spawn(2, "link"), tell(0), go, tell(2), park],
    [go, leave("kill")],
  ],
  "killed over a link can be trapped": [
    [spawn(1), monitor(1), exit(1, "kill"), park],
    [trap, spawn(2, "link"), park],
    [trap, take("exit"), park],
  ],
  "link to a process that has ended fails": [
    [spawn(1, "monitor"), take("down"), link(1), trap, link(1), take("exit")],
    [],
  ],
  "monitor of a process that has ended gives noproc": [[spawn(1), pause, monitor(1), take("down")], []],
  "link and monitor of oneself bring nothing": [
    [trap, link(0), monitor(0), demonitor(2, true), unlink(0), take("any", 1), leave("boom")],
  ],
  "the name is free when the down comes": [
    [
      spawn(1, "monitor"),
      take("any"),
      tell(1),
      take("down"),
      { op: "whereis", name: "x" },
      register(0),
      spawn(2),
      park,
    ],
    [register(1), tell(0), go, leave("boom")],
    [register(2), { op: "unregister", name: "x" }, register(2), tell(0)],
  ],
  "a name belongs to one, and each has one": [
    [
      register(0),
      { op: "register", name: "y", who: 0 },
      spawn(1),
      register(1),
      { op: "register", name: "y", who: 1 },
      park,
    ],
    [{ op: "unregister", name: "x" }, { op: "unregister", name: "x" }, register(1), park],
  ],
  "a monitor by name stays with the process that had the name": [
    [
      spawn(1),
      register(1),
      { op: "monitorName", name: "x" },
      { op: "unregister", name: "x" },
      register(0),
      tell(1),
      take("down"),
    ],
    [go, leave("boom")],
  ],
  "a message to a name goes to who has it now": [
    [
      { op: "sendName", name: "x", tag: "a" },
      register(0),
      { op: "sendName", name: "x", tag: "a" },
      take("a"),
      spawn(1),
      { op: "unregister", name: "x" },
      register(1),
      { op: "sendName", name: "x", tag: "b" },
    ],
    [take("b"), park],
  ],
  "a timer for a name looks for it when it fires": [
    [
      { op: "sendAfterName", delayMs: 1, name: "x", tag: "a" },
      register(0),
      take("a", 4),
      { op: "cancelTimer", timer: 0 },
      park,
    ],
  ],
  "a cancelled timer is silent": [
    [
      { op: "sendAfter", delayMs: 4, to: 0, tag: "a" },
      { op: "cancelTimer", timer: 0 },
      { op: "cancelTimer", timer: 0 },
      park,
    ],
  ],
  "a fired timer cannot be cancelled": [
    [{ op: "startTimer", delayMs: 0, to: 0, tag: "a" }, pause, { op: "cancelTimer", timer: 0 }, take("timeout", 0)],
  ],
  "a timer outlives its owner": [[spawn(1), take("any"), park], [{ op: "sendAfter", delayMs: 2, to: 0, tag: "a" }]],
  "normal does not end others": [
    [spawn(1, "link"), exit(1, "normal"), tell(1), park],
    [go, { op: "pause", durationMs: 1 }],
  ],
  "normal is a message for who traps exits": [
    [spawn(1), exit(1, "normal"), tell(1)],
    [trap, go, take("exit", 4), park],
  ],
  "normal ends oneself": [
    [spawn(1, "monitor"), take("down")],
    [exit(1, "normal"), park],
  ],
  "an exit to oneself can be trapped": [[trap, exit(0, "boom"), take("exit", 0), exit(0, "kill"), park]],
  "trapping can be given up": [
    [spawn(1, "monitor"), take("any"), exit(1, "boom"), take("down")],
    [trap, { op: "trapExit", on: false }, tell(0), park],
  ],
  "the first of two exits decides": [[spawn(1, "monitor"), exit(1, "boom"), exit(1, "kill"), take("down")], [park]],
  "a message comes before the down": [
    [spawn(1, "monitor"), take("down"), take("a", 0)],
    [tell(0), leave("boom")],
  ],
  "a reason travels along a chain of links": [
    [spawn(1), monitor(1), take("any"), take("down")],
    [spawn(2, "link"), park],
    [spawn(3, "link"), park],
    [tell(0), pause, leave("tagged:1")],
  ],
  "receive takes the first that matches and leaves the others": [
    [spawn(1), tell(1), tell(1, "b"), tell(1), tell(1, "b"), exit(1, "boom")],
    [trap, take("exit"), take("b"), take("b"), take("b", 0), take("any"), take("any"), take("any", 0)],
  ],
  "a receive that times out leaves its mailbox alone": [
    [tell(0), take("b", 1), tell(0, "b"), take("b", 0), take("any", 0)],
  ],
};
