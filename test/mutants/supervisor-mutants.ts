/**
 * Supervisor mutants: who is restarted and stopped, when, in which order, and when a supervisor gives up.
 *
 * @module
 */
import type { Mutant } from "./mutant.ts";

const supervisor = "src/supervisor/supervisor.ts";
const restartWindow = "src/supervisor/restart-window.ts";

export const supervisorMutants: readonly Mutant[] = [
  {
    id: "window-per-sibling",
    file: supervisor,
    find: "    if (!this.#window.allows(nowMs)) {",
    replace: `    const own = child as { window?: RestartWindow };
    own.window ??= new RestartWindow(this.#flags.maxRestarts, this.#flags.periodMs);
    if (!own.window.allows(nowMs)) {`,
    breaks: "Restarts are counted for each child alone, so that a failing system is restarted for ever.",
  },
  {
    id: "window-never-slides",
    file: restartWindow,
    find: "    this.#timesMs = this.#timesMs.filter((timeMs) => nowMs - timeMs <= this.#periodMs);\n",
    replace: "",
    breaks: "A supervisor gives up after a few restarts in its whole life.",
  },
  {
    id: "window-off-by-one",
    file: restartWindow,
    find: "return this.#timesMs.length <= this.#maxRestarts;",
    replace: "return this.#timesMs.length < this.#maxRestarts;",
    breaks: "A supervisor gives up one restart too early.",
  },
  {
    id: "window-edge",
    file: restartWindow,
    find: "nowMs - timeMs <= this.#periodMs",
    replace: "nowMs - timeMs < this.#periodMs",
    breaks: "A restart exactly one period ago does not count any more.",
  },
  {
    id: "rest-restarts-earlier",
    file: supervisor,
    find: "children.slice(children.indexOf(child));",
    replace: "children.slice(0, children.indexOf(child) + 1);",
    breaks: "restForOne restarts the children before the one that ended, not those after it.",
  },
  {
    id: "all-leaves-first",
    file: supervisor,
    find: 'return strategy === "oneForAll" ? children :',
    replace: 'return strategy === "oneForAll" ? children.filter((other) => other === child || other !== children[0]) :',
    breaks: "oneForAll leaves the first child running when another one ends.",
  },
  {
    id: "stops-in-start-order",
    file: supervisor,
    find: "for (const child of [...children].toReversed()) await this.#stopTogether([child]);",
    replace: "for (const child of children) await this.#stopTogether([child]);",
    breaks: "Children are stopped in the order in which they were started, so that what others need goes first.",
  },
  {
    id: "stops-without-patience",
    file: supervisor,
    find: "const leftMs = Math.max(0, deadlineMs - this.#self.kernel.platform.clock.monotonicMs());",
    replace: "const leftMs = Math.min(0, deadlineMs - this.#self.kernel.platform.clock.monotonicMs());",
    breaks: "A child that takes a moment to stop is killed although it has time left.",
  },
  {
    id: "stubborn-child-never-killed",
    file: supervisor,
    find: '    if (down === timedOut) {\n      this.#self.exit(pid, "kill");\n',
    replace: "    if (down === timedOut) {\n",
    breaks: "A child that ignores shutdown makes its supervisor wait for ever.",
  },
  {
    id: "transient-after-shutdown",
    file: supervisor,
    find: 'if (restart === "permanent" || (restart === "transient" && !isOrderly(reason))) {',
    replace: 'if (restart === "permanent" || (restart === "transient" && reason !== "normal")) {',
    breaks: "A transient child that was shut down in order is started again.",
  },
  {
    id: "transient-spec-lost",
    file: supervisor,
    find: '    if (restart === "temporary" || this.#isAnonymous) this.#remove(child);\n    return child.spec.significant',
    replace:
      '    if (restart !== "permanent" || this.#isAnonymous) this.#remove(child);\n    return child.spec.significant',
    breaks: "A transient child that ended in order cannot be started again: its spec is gone.",
  },
  {
    id: "ended-children-count",
    file: supervisor,
    find: '    if (restart === "temporary" || this.#isAnonymous) this.#remove(child);\n    return child.spec.significant',
    replace: '    if (restart === "temporary") this.#remove(child);\n    return child.spec.significant',
    breaks: "A dynamic supervisor is full of transient children that ended long ago.",
  },
  {
    id: "max-children-off-by-one",
    file: supervisor,
    find: "if (this.#children.size >= this.#flags.maxChildren)",
    replace: "if (this.#children.size > this.#flags.maxChildren)",
    breaks: "A dynamic supervisor starts one child more than it may.",
  },
  {
    id: "significant-any",
    file: supervisor,
    find: 'if (this.#flags.autoShutdown === "anySignificant") return true;',
    replace: 'if (this.#flags.autoShutdown !== "never") return true;',
    breaks: "A supervisor that should end with its last significant child ends with the first.",
  },
  {
    id: "backoff-never-resets",
    file: supervisor,
    find: "    if (livedMs >= (this.#flags.backoff?.resetAfterMs ?? Infinity)) child.attempts = 0;\n",
    replace: "",
    breaks: "A child that was healthy for hours waits for its restart as long as one that fails all the time.",
  },
  {
    id: "stopped-child-restarts",
    file: supervisor,
    find: "    child.held = true;\n    if (wasPlanned)",
    replace: "    if (wasPlanned)",
    breaks: "A child that was stopped while its group waits for a restart is started with the group.",
  },
  {
    id: "group-waits-for-stopped",
    file: supervisor,
    find: "    if (wasPlanned) this.#goOnWithout(child);\n",
    replace: "",
    breaks: "When the child is stopped for whose restart a group waits, the group stays down.",
  },
  {
    id: "failed-restart-not-counted",
    file: supervisor,
    find: "      return this.#queueStart(other, { reason: result.error });",
    replace: "      return this.#queueStart(other);",
    breaks: "A child that fails in each restart is restarted for ever.",
  },
  {
    id: "temporary-restarted",
    file: supervisor,
    find: "    this.#removeTemporary(child);\n",
    replace: "",
    breaks: "oneForAll starts temporary children again.",
  },
  {
    id: "ended-pid-still-child",
    file: supervisor,
    find: "    child.pid = undefined;\n    this.#byPid.delete(pid);\n",
    replace: "    child.pid = undefined;\n",
    breaks: "countChildren counts children that have ended as active.",
  },
  {
    id: "ends-before-children",
    file: supervisor,
    find: "  async terminate(): Promise<void> {\n    await this.#stopAll([...this.#children]);\n",
    replace: "  async terminate(): Promise<void> {\n    void this.#stopAll([...this.#children]);\n",
    breaks: "A supervisor ends before its children, and those that trap exits are left behind.",
  },
  {
    id: "unlinked-child-forgotten",
    file: supervisor,
    find: '    const ref = this.#self.monitor(pid);\n    this.#self.exit(pid, child.spec.shutdown === "brutal" ? "kill" : "shutdown");',
    replace:
      '    this.#self.exit(pid, child.spec.shutdown === "brutal" ? "kill" : "shutdown");\n    const ref = this.#self.monitor(pid);',
    breaks: "The reason of a child that ends at once when it is stopped is told as noproc.",
  },
];
