/**
 * Server mutants: servers, state machines, registries, groups and tasks.
 *
 * @module
 */
import type { Mutant } from "./mutant.ts";

const server = "src/server/server.ts";
const machine = "src/server/state-machine.ts";
const registry = "src/server/registry.ts";
const groups = "src/server/groups.ts";
const task = "src/server/task.ts";

export const serverMutants: readonly Mutant[] = [
  {
    id: "idle-timeout-survives",
    file: server,
    find: "    else this.#endTimeout();\n    return false;",
    replace: "    return false;",
    breaks: "A server's time-out for silence fires although a message came.",
  },
  {
    id: "stale-idle-timeout",
    file: server,
    find: "    if (ref !== null && this.#stale.delete(ref)) return true;\n",
    replace: "",
    breaks: "A server's time-out that had fired when another message came first counts all the same.",
  },
  {
    id: "crash-without-terminate",
    file: server,
    find: "    if (thrown instanceof Error) return this.#stop(reason, thrown);",
    replace: "    if (thrown instanceof Error) throw thrown;",
    breaks: "A server that crashes does not clean up: terminate is not called.",
  },
  {
    id: "any-exit-stops-server",
    file: server,
    find: "if (isExit(message) && message.from === this.#parent) {",
    replace: "if (isExit(message)) {",
    breaks: "A server that traps exits ends when any linked process ends.",
  },
  {
    id: "continue-after-queue",
    file: server,
    find: "    if (isThenable(continued)) return continued.then(() => this.#self.react((message) => this.#take(message)));\n",
    replace: "",
    breaks: "Requests are handled before what init wanted to continue with is done.",
  },
  {
    id: "postponed-reversed",
    file: machine,
    find: "this.#queue.push(this.#postponed.pop() as AnyEvent);",
    replace: "this.#queue.push(this.#postponed.shift() as AnyEvent);",
    breaks: "Postponed events come again in the reverse order.",
  },
  {
    id: "state-timeout-survives",
    file: machine,
    find: "      this.#cancel(stateKey);\n",
    replace: "",
    breaks: "The time-out of a state fires after the machine has left it.",
  },
  {
    id: "event-timeout-survives",
    file: machine,
    find: "    this.#cancel(eventKey);\n    return chain(",
    replace: "    return chain(",
    breaks: "A machine's time-out for silence fires although an event came.",
  },
  {
    id: "cancelled-timeout-counts",
    file: machine,
    find: "    if (this.#timeouts.get(fired.key) !== fired) return undefined;\n",
    replace: "",
    breaks: "A machine's time-out counts that was cancelled after it had fired and before its turn came.",
  },
  {
    id: "registry-count-drifts",
    file: registry,
    find: "    removeFrom(this.#byPid, entry.pid, entry);\n    this.#entriesCount -= 1;\n",
    replace: "    removeFrom(this.#byPid, entry.pid, entry);\n",
    breaks: "A registry counts registrations that are gone, and is full one day.",
  },
  {
    id: "registry-claim-outlives",
    file: registry,
    find: '      if (owner === pid) this.handleCast({ registry: "release", id });\n',
    replace: '      if (owner === pid && id < 0) this.handleCast({ registry: "release", id });\n',
    breaks: "A starter that ends while it starts a process under a key blocks the key for ever.",
  },
  {
    id: "registry-waiters-forgotten",
    file: registry,
    find: "    for (const retry of waiting) retry();\n",
    replace: "    if (waiting.length > 1) for (const retry of waiting) retry();\n",
    breaks: "Who asks for a key while a process is being started under it gets no answer.",
  },
  {
    id: "registry-adds-ended",
    file: registry,
    find: "    if (!this.#watch.watch(pid)) return;\n    const entry: Entry",
    replace: "    this.#watch.watch(pid);\n    const entry: Entry",
    breaks: "A registry gives out a process that had ended before it was registered.",
  },
  {
    id: "group-keeps-one",
    file: groups,
    find: "      const left = this.#removeMember(group, pid, true);\n",
    replace: "      const left = this.#removeMember(group, pid, false);\n",
    breaks: "A process that joined a group twice stays a member after its end.",
  },
  {
    id: "group-end-not-told",
    file: groups,
    find: '      const left = this.#removeMember(group, pid, true);\n      if (left.length > 0) this.#tell("groupLeave", group, left);\n',
    replace: "      this.#removeMember(group, pid, true);\n",
    breaks: "A monitor of a group is not told when a member leaves it by its end.",
  },
  {
    id: "group-leaves-all",
    file: groups,
    find: "const leavingCount = all ? count : Math.min(count, 1);",
    replace: "const leavingCount = count;",
    breaks: "A process that joined a group twice is no member any more when it has left once.",
  },
  {
    id: "group-unwatches-early",
    file: groups,
    find: "    if ((this.#groupsOf.get(pid)?.size ?? 0) > 0) return;\n    this.#groupsOf.delete(pid);\n",
    replace: "",
    breaks: "A process that left one of its groups stays a member of the others after its end.",
  },
  {
    id: "stream-one-more",
    file: task,
    find: "return this.#runningCount < this.#maxConcurrency &&",
    replace: "return this.#runningCount <= this.#maxConcurrency &&",
    breaks: "A stream runs one task more at a time than it may.",
  },
  {
    id: "stream-timeout-survives",
    file: task,
    find: "    entry.endTimeout();\n    entry.outcome = outcome;",
    replace: "    entry.outcome = outcome;",
    breaks: "A stream fails with a time-out of a task that was done in time.",
  },
  {
    id: "stream-late-task-lives",
    file: task,
    find: '    this.#settle(entry, { ok: false, reason: "timeout" });\n    this.#kill(entry);\n',
    replace: '    this.#settle(entry, { ok: false, reason: "timeout" });\n',
    breaks: "A stream's task that took too long goes on running beside the others.",
  },
];
