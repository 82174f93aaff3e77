/**
 * Carrier statements: K1 to K15, which say what every carrier owes its processes, and where each is proved. There is no
 * Erlang to ask: a BEAM has one carrier.
 *
 * @module
 */

/** All carriers, commands too. */
export const allCarriers = ["coroutine", "thread", "os-process", "command"] as const;
export type AnyCarrier = (typeof allCarriers)[number];

/** `contract: <case>` for a case of the carrier contract, which runs on that carrier; else `<file>: <name of the test>`. */
export type Proof = string;

export interface CarrierStatement {
  readonly id: string;
  readonly sentence: string;
  readonly proofs: Readonly<Partial<Record<AnyCarrier, readonly Proof[]>>>;
  /** Where it is not proved, why, one sentence. */
  readonly except?: Readonly<Partial<Record<AnyCarrier, string>>>;
}

const hosted = ["thread", "os-process"] as const;

function on(carriers: readonly AnyCarrier[], ...proofs: readonly Proof[]): CarrierStatement["proofs"] {
  return Object.fromEntries(carriers.map((carrier) => [carrier, proofs]));
}

const ownHeap = "Inside one heap a message is handed over, not copied: do not change what you have sent.";
const notOurs = "A coroutine runs in colos's own heap, which nothing of colos can outlive.";

export const carrierStatements: readonly CarrierStatement[] = [
  {
    id: "K1",
    sentence: "a pid means the same whatever its carrier: send, link, monitor, exit and names work alike",
    proofs: on(
      allCarriers,
      "contract: messages arrive and answers come back",
      "contract: the end of a linked process ends it, with the same reason",
      "contract: each monitor gives exactly one down message",
      "contract: an exit signal ends it with the signal's reason",
      "contract: a process can be reached by its name, which is free when its end is known",
    ),
  },
  {
    id: "K2",
    sentence: "a message that crosses a carrier is a copy",
    proofs: on([...hosted, "command"], "contract: a message changed after sending arrives as it was sent"),
    except: { coroutine: ownHeap },
  },
  {
    id: "K3",
    sentence: "a value that cannot be copied fails in the sender with a named error, and nothing is sent",
    proofs: on(
      [...hosted, "command"],
      "contract: a value that cannot be copied fails in the sender and nothing is sent",
    ),
    except: { coroutine: ownHeap },
  },
  {
    id: "K4",
    sentence: "the order of each pair holds across carriers, for messages and for ends",
    proofs: on(
      allCarriers,
      "contract: ten thousand messages keep their order both ways",
      "contract: everything said before the end arrives before the down message",
    ),
  },
  {
    id: "K5",
    sentence: "the loss of a carrier is exactly one exit per process, link and monitor",
    proofs: on([...hosted, "command"], "contract: the loss of a carrier gives each process on it exactly one exit"),
    except: { coroutine: notOurs },
  },
  {
    id: "K6",
    sentence: "what was on its way to a lost carrier is lost: never delivered twice, nor to the replacement",
    proofs: on(
      allCarriers,
      "test/conformance-carriers.test.ts: K6 what was on its way to a lost carrier reaches neither it twice nor its replacement (%s)",
    ),
  },
  {
    id: "K7",
    sentence: "kill of a program that never yields is told at once, and nothing more is heard of it",
    proofs: on([...hosted, "command"], "contract: kill ends a loop that never yields"),
    except: { coroutine: "Nothing can interrupt synchronous JavaScript in its own heap; the watchdog names it." },
  },
  {
    id: "K8",
    sentence: "a killed carrier that does not end in time is reported",
    proofs: {
      ...on(
        hosted,
        "src/carriers/hosted-kernel-parent.test.ts: of one that stays is reported as carrier_stuck, and its end is told",
      ),
      command: ["src/carriers/command.test.ts: does not wait for ever for others that ignore it"],
    },
    except: { coroutine: notOurs },
  },
  {
    id: "K9",
    sentence: "a coroutine that never yields is found and named, and its carrier restarted",
    proofs: {},
    except: {
      coroutine:
        "The watchdog finds it and names process and function; colos does not restart its own heap, which a supervisor of colos must do.",
      thread: "It is a statement about coroutines; kill ends such a thread (K7).",
      "os-process": "It is a statement about coroutines; kill ends such an OS process (K7).",
      command: "It is a statement about coroutines; kill ends such a command (K7).",
    },
  },
  {
    id: "K10",
    sentence: "a mailbox has a bound, reaching it follows the declared policy, and drops are counted exactly",
    proofs: {
      ...on(
        ["coroutine", ...hosted],
        "test/conformance-carriers.test.ts: K10 a full mailbox follows its policy, and drops are counted exactly",
      ),
      command: [
        "src/carriers/command.test.ts: that nobody reads ends the command when it has grown to its limit",
        "src/carriers/command.test.ts: that nobody reads fails the sender where the policy says so",
      ],
    },
  },
  {
    id: "K11",
    sentence: "a command's exit code and OS signal are its exit reason; only code 0 is normal",
    proofs: on(
      ["command"],
      "contract: a program that returns ends with normal",
      "contract: a crash is its process's reason",
      "test/debian-programs.test.ts: killed from outside, ends with that signal",
    ),
    except: {
      coroutine: "It is a statement about commands.",
      thread: "It is a statement about commands.",
      "os-process": "It is a statement about commands.",
    },
  },
  {
    id: "K12",
    sentence: "SIGKILL by colos, by another and by the OOM killer are three causes, or unknown; never guessed",
    proofs: on(
      ["command"],
      "contract: kill ends it, and others see killed",
      "test/debian-programs.test.ts: killed from outside, ends with that signal",
    ),
    except: {
      coroutine: "No OS process of its own can be killed.",
      thread: "No OS process of its own can be killed.",
      "os-process":
        "Told apart are colos and others; the OOM killer counts as another, because its counter is not read yet.",
    },
  },
  {
    id: "K13",
    sentence: "both output streams are always drained; a slow sink never blocks the program",
    proofs: {
      command: ["src/carriers/command.test.ts: is ignored by default, and does not block"],
      ...on(hosted, "test/up.test.ts: services that flood their output are drained, and colos does not grow with it"),
    },
    except: { coroutine: "It shares colos's own output." },
  },
  {
    id: "K14",
    sentence: "the last output before the end is delivered before the exit signal",
    proofs: on(allCarriers, "contract: everything said before the end arrives before the down message"),
  },
  {
    id: "K15",
    sentence:
      "stop is an OS signal to the process group and SIGKILL in the end; after the down nobody of the group is alive",
    proofs: {
      command: [
        "src/carriers/command.test.ts: is gone after kill, all of it",
        "src/carriers/command.test.ts: is gone even when it ignores that",
      ],
      "os-process": ["test/hosted-carriers.test.ts: takes its whole group along"],
    },
    except: {
      coroutine: "It has no OS process of its own.",
      thread: "It has no OS process of its own.",
    },
  },
];
