import { execFileSync } from "node:child_process";
import { closeSync, existsSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { test } from "../../../test/system/folder.ts";
import { platform, wideLogs } from "../../../test/system/recorded.ts";
import { LogFolder, type LineSource } from "./log-folder.ts";
import type { Chunk } from "./cri-format.ts";
import { NotifySockets } from "./notify-sockets.ts";
import { Patience } from "./patience.ts";
import { RunRecorder } from "./run-recorder.ts";

const { clock } = platform;

/** Tells the test of the end of each stream, and settles when the test says so. */
class SlowFolder extends LogFolder {
  readonly ends: (() => void)[] = [];

  override append(source: LineSource, chunk: Chunk): Promise<void> {
    if (chunk.rest !== "end") return super.append(source, chunk);
    return new Promise((resolve) => void this.ends.push(resolve));
  }
}

describe("ready pipe", () => {
  test("a line that stands in it when the output has ended is heard", async ({ folder }) => {
    const [stdout, stderr, ready] = [join(folder, "out"), join(folder, "err"), join(folder, "ready")];
    execFileSync("mkfifo", [stdout, stderr, ready]);
    const directory = join(folder, "log");
    const slow = new SlowFolder({ directory, logs: wideLogs, clock, onTrouble: () => {} });
    const notes: string[] = [];
    const readyFile = join(folder, "is-ready");
    const recorder = new RunRecorder({
      run: { id: "web.1.1", service: "web", instance: 1, stdout, stderr, ready, directory, logs: wideLogs },
      folder: slow,
      forward: undefined,
      clock,
      patience: new Patience(clock, () => {}),
      notifySockets: new NotifySockets(),
      readyFile,
      onNote: (note) => notes.push(note),
      onProblem: () => {},
    });
    await recorder.open();
    for (const path of [stdout, stderr]) closeSync(openSync(path, "w"));
    await expect.poll(() => slow.ends.length).toBe(2);

    const pipe = openSync(ready, "w");
    writeSync(pipe, "yes\n");
    for (const end of slow.ends) end(); // before the event loop looks at the pipe again
    await recorder.done;

    expect(notes).toEqual(["READY=1"]);
    expect(existsSync(readyFile)).toBe(true);
    closeSync(pipe);
    await slow.close();
  });
});
