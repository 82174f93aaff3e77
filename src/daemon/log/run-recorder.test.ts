import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { test } from "../../../test/system/folder.ts";
import { platform, wideLogs } from "../../../test/system/recorded.ts";
import { turn } from "../../../test/system/turn.ts";
import { LogFolder } from "./log-folder.ts";
import { NotifySockets } from "./notify-sockets.ts";
import { Patience } from "./patience.ts";
import { RunRecorder } from "./run-recorder.ts";

const { clock } = platform;

/** As a shim: stdout and stderr are opened before the ready pipe, so their ends are also what is seen first. */
const saysSoAndEnds = `exec 1<>"$1" 2<>"$2"; echo yes >"$3"`;

describe("ready pipe", () => {
  test("its line is heard, although the run is over and has written nothing else", async ({ folder }) => {
    const [stdout, stderr, ready] = [join(folder, "out"), join(folder, "err"), join(folder, "ready")];
    execFileSync("mkfifo", [stdout, stderr, ready]);
    const directory = join(folder, "log");
    const logs = new LogFolder({ directory, logs: wideLogs, clock, onTrouble: () => {} });
    const notes: string[] = [];
    const readyFile = join(folder, "is-ready");
    const recorder = new RunRecorder({
      run: { id: "web.1.1", service: "web", instance: 1, stdout, stderr, ready, directory, logs: wideLogs },
      folder: logs,
      forward: undefined,
      clock,
      patience: new Patience(clock, () => {}),
      notifySockets: new NotifySockets(),
      readyFile,
      onNote: (note) => notes.push(note),
      onProblem: () => {},
    });
    await recorder.open();
    for (let turnsLeft = 3; turnsLeft > 0; turnsLeft--) await turn(); // the OS is asked about the pipes

    // Nothing is looked at meanwhile, as on a machine that has much to do.
    spawnSync("sh", ["-c", saysSoAndEnds, "sh", stdout, stderr, ready]);
    await recorder.done;

    expect(notes).toEqual(["READY=1"]);
    expect(existsSync(readyFile)).toBe(true);
    await logs.close();
  });
});
