import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, vi } from "vitest";
import { needsLinux } from "../../../test/debian.ts";
import { newHome, openTestRuns, shellSpec } from "../../../test/run-home.ts";
import { freePort } from "../../../test/system/free-port.ts";
import { turn } from "../../../test/system/turn.ts";
import type { Home } from "../home.ts";
import { ProcessMarks } from "./process-marks.ts";
import { pipeFile, readExit, runFile } from "./run-files.ts";
import type { RunSpec } from "./run.ts";

const linux = needsLinux();

/** Says that it waits, and of each turn that it has come, in a file of its own. */
function standby(home: Home, more: Partial<RunSpec> = {}): RunSpec {
  const turns = join(home.root, "turns");
  const script = `echo early; true >"${turns}"; read -r line <&"$COLOS_STANDBY"; echo "$line" >>"${turns}"; echo late; exec sleep 1000`;
  return shellSpec(home, "web.1.2", script, { isStandby: true, ...more });
}

const turnsOf = (home: Home): string | undefined =>
  existsSync(join(home.root, "turns")) ? readFileSync(join(home.root, "turns"), "utf8") : undefined;

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn();
}

linux.describe("a run that is started ahead", () => {
  linux.test("waits until its turn comes, which comes once", async () => {
    const home = newHome();
    const { runs } = openTestRuns(home);
    await runs.recover();
    await runs.start(standby(home));
    await until(() => turnsOf(home) === "");
    expect(existsSync(runFile(home, "web.1.2", "standby"))).toBe(true);

    runs.promote("web.1.2");
    runs.promote("web.1.2");
    await until(() => turnsOf(home) !== "");

    expect(turnsOf(home)).toBe("go\n");
    expect(existsSync(runFile(home, "web.1.2", "standby"))).toBe(false);
  });

  linux.test("is started when there is no file descriptor to look ahead with", async () => {
    const look = vi.spyOn(ProcessMarks.prototype, "look").mockImplementation(() => {
      throw Object.assign(new Error("EMFILE: too many open files"), { code: "EMFILE" });
    });
    onTestFinished(() => look.mockRestore());
    const stray = vi.fn<(error: unknown) => void>();
    process.once("unhandledRejection", stray);
    onTestFinished(() => void process.off("unhandledRejection", stray));
    const home = newHome();
    const { runs } = openTestRuns(home);
    await runs.recover();
    await runs.start(standby(home));
    await until(() => look.mock.calls.length > 0);
    await turn();
    await turn();

    expect(stray).not.toHaveBeenCalled();
  });

  linux.test("hears that its turn has come also when it listens later", async () => {
    const home = newHome();
    const { runs } = openTestRuns(home);
    await runs.recover();
    const turns = join(home.root, "turns");
    const script = `until [ -e "${turns}" ]; do sleep 0.01; done; read -r line <&"$COLOS_STANDBY"; echo "$line" >"${turns}"; exec sleep 1000`;
    await runs.start(shellSpec(home, "web.1.2", script, { isStandby: true }));
    runs.promote("web.1.2");
    writeFileSync(turns, "");

    await until(() => turnsOf(home) === "go\n");
  });

  linux.test("has its line on another file descriptor than its readiness and its socket", async () => {
    const home = newHome();
    const { runs, readies } = openTestRuns(home);
    await runs.recover();
    await runs.start(
      standby(home, { readiness: { kind: "fd", fd: 9 }, listen: [{ port: await freePort(), host: "127.0.0.1" }] }),
    );
    await until(() => turnsOf(home) === "");
    runs.promote("web.1.2");

    await until(() => turnsOf(home) === "go\n");
    expect(readies).toEqual([]);
  });

  linux.test("has what it wrote recorded from its turn on, the first of it too", async () => {
    const home = newHome();
    const { runs, recorder } = openTestRuns(home);
    await runs.recover();
    await runs.start(standby(home));
    await until(() => turnsOf(home) === "");
    expect(recorder.textOf("web.1.2").stdout).toBe("");

    runs.promote("web.1.2");
    await until(() => recorder.textOf("web.1.2").stdout === "early\nlate\n");
  });

  linux.test("has its last words recorded when it ends before its turn", async () => {
    const home = newHome();
    const { runs, recorder, end } = openTestRuns(home);
    await runs.recover();
    await runs.start(shellSpec(home, "web.1.2", "echo no memory >&2; exit 3", { isStandby: true }));

    expect(await end("web.1.2")).toMatchObject({ code: 3 });
    expect(recorder.textOf("web.1.2").stderr).toBe("no memory\n");
  });

  linux.test("is found by the next daemon, and waits on", async () => {
    const home = newHome();
    const first = openTestRuns(home);
    await first.runs.recover();
    const identity = await first.runs.start(standby(home));
    await first.runs.close();

    const { runs } = openTestRuns(home);
    expect(await runs.recover()).toMatchObject([{ id: "web.1.2", state: "running", isStandby: true, identity }]);
    await until(() => turnsOf(home) === "");
    runs.promote("web.1.2");
    await until(() => turnsOf(home) === "go\n");
  });

  linux.test("whose turn the daemon before let come, and did not tell, is told by the next one", async () => {
    const home = newHome();
    const first = openTestRuns(home);
    await first.runs.recover();
    await first.runs.start(standby(home));
    await first.runs.close();
    rmSync(runFile(home, "web.1.2", "standby"));

    const { runs, recorder } = openTestRuns(home);
    const [found] = await runs.recover();
    expect(found).toMatchObject({ id: "web.1.2", state: "running" });
    expect(found).not.toHaveProperty("isStandby");
    await until(() => recorder.textOf("web.1.2").stdout === "early\nlate\n");
    expect(turnsOf(home)).toBe("go\n");
  });

  linux.test("that has ended before its turn, when no daemon lived, was a standby still", async () => {
    const home = newHome();
    const first = openTestRuns(home);
    await first.runs.recover();
    const identity = await first.runs.start(standby(home));
    await first.runs.close();
    process.kill(identity.osPid, "SIGKILL");
    await until(() => readExit(home, "web.1.2") !== undefined);

    const { runs } = openTestRuns(home);
    expect(await runs.recover()).toMatchObject([
      { id: "web.1.2", state: "ended", isStandby: true, end: { signal: "SIGKILL" } },
    ]);
    await runs.forget("web.1.2");
    expect(existsSync(runFile(home, "web.1.2", "standby"))).toBe(false);
    expect(existsSync(pipeFile(home, "web.1.2", "go"))).toBe(false);
  });

  linux.test("has no such variable when it is not started ahead, whatever its environment says", async () => {
    const home = newHome();
    const { runs, recorder, end } = openTestRuns(home);
    await runs.recover();
    await runs.start(shellSpec(home, "web.1.1", 'echo "<${COLOS_STANDBY-none}>"', { env: { COLOS_STANDBY: "5" } }));
    await end("web.1.1");
    expect(recorder.textOf("web.1.1").stdout).toBe("<none>\n");
  });
});
