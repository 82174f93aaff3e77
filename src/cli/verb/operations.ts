/**
 * `colos start`, `stop`, `restart`, `reload`: operations that take names, and are done when each instance is where it was sent.
 *
 * @module
 */
import type { Manager, NamesInput, OperationReport } from "../../control/manager.ts";
import { managerVerb } from "../call.ts";
import { namesNote, readNamesInput, waitOptions } from "../names.ts";
import { tellReport } from "../operation-report.ts";
import { type ProgressOptions, withProgress } from "../progress.ts";
import type { Verb } from "../verb.ts";

export const start: Verb = operation("ready", (manager, input) => manager.start(input), [
  "A service that is ready already stays as it is.",
]);

export const stop: Verb = operation("stopped", (manager, input) => manager.stop(input), [
  "What is stopped stays stopped, also when the daemon is killed, until colos start or the next colos up.",
]);

export const restart: Verb = operation("ready", (manager, input) => manager.restart(input), [
  "A service with listen is replaced as reload does it; any other is stopped before it is started.",
]);

export const reload: Verb = operation("ready", (manager, input) => manager.reload(input), [
  "When a new instance does not become ready, the old one stays and colos says so.",
  "Without listen two cannot run side by side: an instance is stopped, then started, and the next one follows when it is ready.",
]);

function operation(
  goal: ProgressOptions["goal"],
  ask: (manager: Manager, input: NamesInput) => Promise<OperationReport>,
  notes: readonly string[],
): Verb {
  return managerVerb({
    notes: [namesNote, ...notes],
    options: waitOptions,
    read: readNamesInput,
    run: async (input, call) => {
      const options = { goal, about: input.names, showsUnchanged: true };
      const report = await withProgress(call, options, (manager) => ask(manager, input));
      return tellReport(report, call);
    },
  });
}
