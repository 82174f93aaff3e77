/**
 * `colos down`: everything stops in reverse order, then the daemon ends. When it settles, nothing of colos runs in the home.
 *
 * @module
 */
import { DaemonAbsentError } from "../../control/manager-client.ts";
import { type Call, managerVerb } from "../call.ts";
import { exitCodes } from "../exit-codes.ts";
import { readWait, waitOptions } from "../names.ts";
import { tellReport } from "../operation-report.ts";
import { withProgress } from "../progress.ts";
import type { Verb } from "../verb.ts";

export const down: Verb = managerVerb({
  notes: ["Nothing is forgotten: colos up starts the same again."],
  options: waitOptions,
  read: (words) => {
    words.none();
    return readWait(words);
  },
  run: async (input, call) => {
    const options = { goal: "stopped" as const, showsUnchanged: false };
    await ensureStopper(call);
    const ended = await call.host.watchEnd(call.home);
    const report = await withProgress(call, options, (manager) => manager.down(input));
    // Whoever removes the home next finds nobody who writes into it.
    if (input.wait !== false) await ended();
    const exitCode = tellReport(report, call);
    if (call.isTalking && exitCode === exitCodes.ok) {
      call.print([input.wait === false ? "colos: stopping" : "colos: everything is stopped, the daemon has ended"]);
    }
    return exitCode;
  },
});

/** What runs on without a daemon needs one to be stopped in order. */
async function ensureStopper(call: Call): Promise<void> {
  const { host, home } = call;
  const runningCount = await host.runningCount(home);
  if (runningCount === 0) return;
  try {
    await (await call.connect()).list();
  } catch (error) {
    if (!(error instanceof DaemonAbsentError)) throw error;
    await host.startDaemon(home);
    if (call.isTalking) call.print([`colos: started a daemon in ${home}, to stop what ran on without one`]);
  }
}
