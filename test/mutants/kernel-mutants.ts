/**
 * Kernel mutants: links, monitors, ends, names, messages, requests and timers inside one kernel.
 *
 * @module
 */
import type { Mutant } from "./mutant.ts";

const kernel = "src/kernel/kernel.ts";
const request = "src/kernel/request.ts";
const mailbox = "src/kernel/mailbox.ts";
const timer = "src/kernel/timer.ts";
const gate = "src/kernel/gate.ts";
const names = "src/kernel/names.ts";

export const kernelMutants: readonly Mutant[] = [
  {
    id: "link-one-sided",
    file: kernel,
    find: "      (peer.links ??= new Set()).add(from.pid);\n",
    replace: "",
    breaks: "A link ties only who made it: the other side's fate is not shared.",
  },
  {
    id: "unlink-one-sided",
    file: kernel,
    find: "    if (peer !== null && peer.kernel === this) peer.links?.delete(from.pid);\n    else",
    replace: "    if (peer === null || peer.kernel !== this)",
    breaks: "After an unlink the other side believes that it is still linked, and its next link does nothing.",
  },
  {
    id: "link-outlives-exit",
    file: kernel,
    find: "} else if (peer.links?.delete(from) === true) {",
    replace: "} else if (peer.links?.has(from) === true) {",
    breaks: "The links of a process that traps exits go on naming processes that have ended, and grow for ever.",
  },
  {
    id: "kill-over-link",
    file: kernel,
    find: 'if (reason === "kill" && !overLink) this.end(process, "killed");',
    replace: 'if (reason === "kill") this.end(process, "killed");',
    breaks: "A process that traps exits dies when a linked one ends with the reason kill.",
  },
  {
    id: "exit-normal-self",
    file: kernel,
    find: 'else if (reason !== "normal" || (from === process.pid && !overLink)) this.end(process, reason);',
    replace: 'else if (reason !== "normal") this.end(process, reason);',
    breaks: "A process that sends itself the exit signal normal lives on.",
  },
  {
    id: "demonitor-flush-forgotten",
    file: kernel,
    find: "if (flush && owner.mailbox !== null) {",
    replace: "if (flush && existed && owner.mailbox !== null) {",
    breaks: "demonitor with flush leaves the down message in the mailbox when it was there already.",
  },
  {
    id: "monitors-of-ended-owner",
    file: kernel,
    find: "    if (monitors !== null) this.#dropMonitors(ended, monitors);\n",
    replace: "",
    breaks: "A process that ends while it calls somebody is resumed by the answer, and its monitors stay behind.",
  },
  {
    id: "monitor-of-ended-silent",
    file: kernel,
    find: '      this.#deliverDown(ref, "noproc");\n    } else {',
    replace: "      return;\n    } else {",
    breaks: "A monitor of a process that has ended never tells, and a supervisor or caller waits for ever.",
  },
  {
    id: "alias-once-keeps-monitor",
    file: kernel,
    find: "      this.forgetMonitor(owner, ref);\n      this.border.forgetAlias(owner, ref);\n",
    replace: "      this.border.forgetAlias(owner, ref);\n",
    breaks: "After the answer through a one-time alias the monitor stays, and a stray down message comes later.",
  },
  {
    id: "resumed-after-end",
    file: kernel,
    find: "    ended.resume = null;\n",
    replace: "",
    breaks: "A process that is killed while it waits for its turn runs on once more.",
  },
  {
    id: "name-freed-late",
    file: kernel,
    find: "      if (extra.name !== undefined) this.#names.free(extra.name, ended.pid);\n",
    replace:
      "      const { name } = extra;\n      if (name !== undefined) this.platform.scheduling.macrotask(() => this.#names.free(name, ended.pid));\n",
    breaks: "A name is still taken when the down message of its holder is read, so a restart under it fails.",
  },
  {
    id: "end-before-handles",
    file: kernel,
    find: "    if (closing === null) this.#queueEnding(ended, reason);\n    else void closing.then(() => this.#queueEnding(ended, reason));",
    replace: "    this.#queueEnding(ended, reason);",
    breaks: "The end of a process is told while what it held, such as a file or a port, is still open.",
  },
  {
    id: "held-by-ended-owner",
    file: kernel,
    find: "      extra.gate?.open();\n",
    replace: "",
    breaks: "Who is held by the full mailbox of a process stays held after that process has ended.",
  },
  {
    id: "late-message-through-ref",
    file: kernel,
    find: '    if (route === "none") return;\n    if (route === "reply") {',
    replace: '    if (route === "reply") {',
    breaks: "The reply that comes after a call's time-out lands in the caller's mailbox.",
  },
  {
    id: "settled-call-keeps-monitor",
    file: request,
    find: "  kernel.forgetMonitor(pending.caller, ref);\n",
    replace: "",
    breaks: "Each answered call leaves its monitor behind: when the server ends, down messages nobody asked for come.",
  },
  {
    id: "call-overtakes-cast",
    file: request,
    find: '  const hasNothingQueued = server.mailbox === null || server.mailbox.size === 0;\n  const isIdle = !server.busy && !server.queued && server.stage === "live";',
    replace: '  const hasNothingQueued = true;\n  const isIdle = !server.busy && server.stage === "live";',
    breaks: "A call is answered before the casts that the same process sent first.",
  },
  {
    id: "reactor-not-busy",
    file: kernel,
    find: "    process.busy = true;\n    try {\n      const result = process.reactor?.(message);",
    replace: "    try {\n      const result = process.reactor?.(message);",
    breaks: "A server handles the next request while an earlier one still awaits something.",
  },
  {
    id: "unpark-forgets-mailbox",
    file: kernel,
    find: "    if (process.reactor !== null && process.mailbox !== null && process.mailbox.size > 0) this.enqueue(process);\n  }\n\n  #crash",
    replace: "  }\n\n  #crash",
    breaks: "What arrives while a server awaits something is handled only when the next message comes.",
  },
  {
    id: "start-timeout-leaves-process",
    file: "src/kernel/start.ts",
    find: '      kernel.exit(self.pid, pid, "kill");\n',
    replace: "",
    breaks: "A process whose start took too long lives on although its starter was told that it failed.",
  },
  {
    id: "receive-timer-survives",
    file: kernel,
    find: "    if (process.waitTimer !== null) {\n      this.timers.cancel(process.waitTimer);\n      process.waitTimer = null;\n    }\n",
    replace: "",
    breaks: "The time-out of a receive that got its message ends a later receive too early.",
  },
  {
    id: "mailbox-limit-off-by-one",
    file: kernel,
    find: "if (mailbox.size >= messagesMax && !this.#makeRoom(",
    replace: "if (mailbox.size > messagesMax && !this.#makeRoom(",
    breaks: "A mailbox takes one message more than its limit.",
  },
  {
    id: "drop-not-counted",
    file: kernel,
    find: '      case "dropNewest":\n        extra.droppedCount += 1;\n',
    replace: '      case "dropNewest":\n',
    breaks: "Messages are lost at a full mailbox and the count of lost messages says nothing of them.",
  },
  {
    id: "notice-dropped",
    file: kernel,
    find: "return mailbox.dropOldest((message) => !isDown(message) && !isExit(message));",
    replace: "return mailbox.dropOldest(() => true);",
    breaks: "A full mailbox drops the news that a process has ended to make room for a message.",
  },
  {
    id: "selective-receive-reorders",
    file: mailbox,
    find: "    for (let place = index; place > this.#head; place -= 1) front[place] = front[place - 1];\n",
    replace: "    front[index] = front[this.#head];\n",
    breaks: "Taking a message from the middle changes the order of those that are older.",
  },
  {
    id: "mailbox-loses-block",
    file: mailbox,
    find: "      this.#back = this.#block(this.#later.length - 1);\n",
    replace: "",
    breaks: "Messages to a long mailbox get lost after its youngest ones were taken selectively.",
  },
  {
    id: "timer-early-after-cancel",
    file: timer,
    find: "      if (timer.dueMs > list.keyMs) {\n        // Its first was cancelled; others may be due before the next one.\n        this.#push(list, timer.dueMs);\n        continue;\n      }\n",
    replace: "",
    breaks: "A timer fires too early when an older one of the same duration was cancelled.",
  },
  {
    id: "timer-heap-broken",
    file: timer,
    find: "if (right !== undefined && right.keyMs < child.keyMs) {",
    replace: "if (right !== undefined && right.keyMs > child.keyMs) {",
    breaks: "With timers of many durations some fire late and in the wrong order.",
  },
  {
    id: "timer-not-rearmed",
    file: timer,
    find: "if (top === undefined || this.#liveCount === 0 || top.keyMs >= this.#armedMs) return;",
    replace: "if (top === undefined || this.#liveCount === 0 || this.#armedMs !== Infinity) return;",
    breaks: "A short timer that is started after a long one fires only with the long one.",
  },
  {
    id: "gate-circle",
    file: gate,
    find: "      if (process === sender) return true;\n",
    replace: "",
    breaks: "Two processes that fill each other's mailboxes wait for each other for a minute and then end.",
  },
  {
    id: "gate-releases-one",
    file: gate,
    find: "    if (size === 0) this.#gate.release(Infinity);\n    else this.#gate.release(this.#messagesMax - size);",
    replace: "    if (size > 0) this.#gate.release(this.#messagesMax - size);",
    breaks: "When a receiver empties its mailbox at once, those that it held stay held.",
  },
  {
    id: "unregister-keeps-own-name",
    file: names,
    find: "    if (holder !== null && holder.extra !== null) holder.extra.name = undefined;\n",
    replace: "",
    breaks: "The end of a process that gave its name up takes the name from who has it now.",
  },
];
