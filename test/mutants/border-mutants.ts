/**
 * Border mutants: what crosses carriers, and what the loss of one means.
 *
 * @module
 */
import type { Mutant } from "./mutant.ts";

const border = "src/kernel/border.ts";
const kernel = "src/kernel/kernel.ts";
const endWatch = "src/kernel/end-watch.ts";

export const borderMutants: readonly Mutant[] = [
  {
    id: "crossing-link-revives",
    file: border,
    find: "else if (!this.#unlinking.has(pairKeyOf(signal[2], signal[3], signal[4])))",
    replace: "else",
    breaks: "An unlink that crosses a link of the other side on its way leaves one side linked.",
  },
  {
    id: "unlink-never-acknowledged",
    file: border,
    find: '        this.transmit(["unlinked", signal[3], signal[4], this.id, signal[2], signal[5]]);\n',
    replace: "",
    breaks: "After an unlink across carriers the other side can never link to this process again.",
  },
  {
    id: "older-unlink-acknowledged",
    file: border,
    find: "if (this.#unlinking.get(key)?.number === number) this.#unlinking.delete(key);",
    replace: "this.#unlinking.delete(key);",
    breaks:
      "The word that an older unlink was carried out lets a link that crosses a younger one leave one side linked.",
  },
  {
    id: "remote-link-to-ended",
    file: border,
    find: 'if (process === null) this.transmitExit(this.#identities.pid(this.id, signal[2]), peer, "noproc", true);\n        else if',
    replace: "if (process === null) return;\n        else if",
    breaks: "A link to a process of another carrier that has ended gives no exit signal.",
  },
  {
    id: "remote-monitor-of-ended",
    file: border,
    find: 'if (process === null) this.transmit(["down", signal[4], signal[3], "noproc"]);\n        else',
    replace: "if (process !== null)",
    breaks: "A call to a server of another carrier that has ended waits for its whole time-out.",
  },
  {
    id: "remote-demonitor-ignored",
    file: border,
    find: "        if (ref !== undefined) process?.watchers?.delete(ref);\n",
    replace: "",
    breaks: "Each call across carriers leaves a watcher behind at the server.",
  },
  {
    id: "remote-request-before-monitor",
    file: "src/kernel/request.ts",
    find: `  kernel.monitor(caller, ref, target);
  const { aboveId } = kernel.border;
  if (typeof target !== "string")
    kernel.border.transmitMessage(["message", target.kernelId, target.serial, wire], caller);
  else if (aboveId !== null) kernel.border.transmitMessage(["message", aboveId, target, wire], caller);`,
    replace: `  const { aboveId } = kernel.border;
  if (typeof target !== "string")
    kernel.border.transmitMessage(["message", target.kernelId, target.serial, wire], caller);
  else if (aboveId !== null) kernel.border.transmitMessage(["message", aboveId, target, wire], caller);
  kernel.monitor(caller, ref, target);`,
    breaks: "A call that ends a server of another carrier fails with noproc instead of what ended the server.",
  },
  {
    id: "exported-refs-leak",
    file: kernel,
    find: "    if (owner.monitors?.delete(ref) !== true) return false;\n    this.border.release(ref);\n    const { target } = ref;\n",
    replace: "    if (owner.monitors?.delete(ref) !== true) return false;\n    const { target } = ref;\n",
    breaks: "Memory grows with each call across carriers.",
  },
  {
    id: "loss-skips-below",
    file: border,
    find: "(survivorId === null ? isWithin(id, kernelId) : !isWithin(id, survivorId))",
    replace: "(survivorId === null ? id === kernelId : !isWithin(id, survivorId))",
    breaks: "Processes on a carrier below a lost one are never reported as ended.",
  },
  {
    id: "loss-not-spread",
    file: border,
    find: "    this.#lose(loss);\n    this.#spreadLoss(loss, from);\n",
    replace: "    this.#lose(loss);\n",
    breaks: "The loss of a carrier is not told to carriers further away.",
  },
  {
    id: "loss-forgets-links",
    file: border,
    find: "        if (gone(peer) && process.links?.delete(peer) === true) {",
    replace: "        if (gone(peer) && process.trapping && process.links?.delete(peer) === true) {",
    breaks: "A process that does not trap exits survives the loss of a carrier with a process that it is linked to.",
  },
  {
    id: "loss-keeps-full",
    file: border,
    find: "    this.#farGates.lose(isGone);\n",
    replace: "",
    breaks: "Who is held by a full mailbox on a carrier stays held after the carrier was lost.",
  },
  {
    id: "remote-name-outlives",
    file: border,
    find: "    if (ref.target !== null) this.#host.foreignEnded(ref.target);\n",
    replace: "",
    breaks: "The name of a process on another carrier stays taken after its end.",
  },
  {
    id: "lost-name-outlives",
    file: "src/kernel/names.ts",
    find: "    for (const pid of this.#remote.keys()) if (gone(pid)) this.freeRemote(pid);",
    replace: "    for (const pid of this.#remote.keys()) if (gone(pid)) this.#remote.delete(pid);",
    breaks: "The names of processes on a lost carrier lead to nobody for ever.",
  },
  {
    id: "watch-misses-loss",
    file: endWatch,
    find: "        for (const pid of this.#watched.keys()) if (gone(pid)) this.#end(pid);\n",
    replace: "        if (gone(owner.pid)) this.#watched.clear();\n",
    breaks: "A registry goes on giving out processes whose carrier was lost.",
  },
];
