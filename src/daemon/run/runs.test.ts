import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { newHome, openTestRuns, shellSpec, specOf } from "../../../test/run-home.ts";
import { gone, isRunning } from "../../../test/system/os-processes.ts";
import { turn } from "../../../test/system/turn.ts";
import { RunStartError } from "./run.ts";

describe("a run that ends", () => {
  test("ends with each exit code, and with what it wrote on record", async () => {
    const { home, runs, recorder, end } = openTestRuns(newHome());

    for (const code of [0, 1, 7, 128, 255]) {
      const id = `web.1.${code}`;
      await runs.start(shellSpec(home, id, `echo out ${code}; echo err >&2; exit ${code}`));
      const { at, ...how } = await end(id);

      expect(how).toEqual({ code, signal: null });
      expect(Math.abs(Date.now() - at)).toBeLessThan(60_000);
      expect(recorder.textOf(id)).toEqual({ stdout: `out ${code}\n`, stderr: "err\n" });
    }
  });

  test.each(["SIGTERM", "SIGINT", "SIGKILL", "SIGQUIT", "SIGSEGV"])("ends with %s", async (signal) => {
    const { home, runs, end, recorder } = openTestRuns(newHome());
    await runs.start(specOf(home, "web.1.1", { argv: ["sleep", "1000"] }));

    runs.signal("web.1.1", signal);

    expect(await end("web.1.1")).toMatchObject({ code: null, signal });
    expect(recorder.textOf("web.1.1")).toEqual({ stdout: "", stderr: "" }); // a shell's own words are not the service's
  });

  test("leaves nothing on disk once it is forgotten", async () => {
    const { home, runs, end } = openTestRuns(newHome());
    await runs.start(specOf(home, "web.1.1"));
    await end("web.1.1");

    await runs.forget("web.1.1");

    expect([...readdirSync(home.runs), ...readdirSync(home.pipes)]).toEqual([]);
  });
});

describe("a start that is refused", () => {
  const refused = async (difference: Parameters<typeof specOf>[2]): Promise<RunStartError> => {
    const { home, runs } = openTestRuns(newHome());
    const error: unknown = await runs.start(specOf(home, "web.1.1", difference)).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(RunStartError);
    expect(readdirSync(home.runs)).toEqual([]);
    return error as RunStartError;
  };

  test("names an executable that is not there", async () => {
    expect(await refused({ argv: ["no-such-thing"] })).toMatchObject({
      message: "no-such-thing was not found on PATH",
      code: "ENOENT",
      isOwnTrouble: false,
    });
  });

  test("names a folder that is not there", async () => {
    const { message, isOwnTrouble } = await refused({ cwd: "/no/such/folder" });

    expect({ message, isOwnTrouble }).toEqual({
      message: "the working directory /no/such/folder does not exist",
      isOwnTrouble: false,
    });
  });

  test("names a script whose interpreter is not there", async () => {
    const { root } = newHome();
    writeFileSync(join(root, "script"), "#!/no/such/shell -e\n", { mode: 0o755 });

    expect(await refused({ argv: ["./script"], cwd: root })).toMatchObject({
      message: "./script names an interpreter that does not exist",
      isOwnTrouble: false,
    });
  });

  test("names what may not be executed", async () => {
    const file = join(newHome().root, "no-program");
    writeFileSync(file, "", { mode: 0o600 });

    expect(await refused({ argv: [file] })).toMatchObject({ code: "EACCES", isOwnTrouble: false });
  });
});

describe("a daemon that goes on with what another started", () => {
  test("finds what runs, and what ended with 7 while nobody watched", async () => {
    const before = openTestRuns(newHome());
    const { home } = before;
    const stop = join(home.root, "stop");
    const identity = await before.runs.start(specOf(home, "web.1.1", { argv: ["sleep", "1000"] }));
    const ending = await before.runs.start(
      shellSpec(home, "web.1.2", `until [ -e ${stop} ]; do sleep 0.01; done; exit 7`),
    );
    await before.runs.close();
    writeFileSync(stop, "");
    await gone(ending.osPid);
    while (!existsSync(join(home.runs, "web.1.2.exit"))) await turn();

    const after = openTestRuns(home);
    const recovered = await after.runs.recover();

    expect(recovered.toSorted((left, right) => left.id.localeCompare(right.id))).toMatchObject([
      { id: "web.1.1", service: "web", instance: 1, state: "running", identity, isReady: false },
      { id: "web.1.2", state: "ended", end: { code: 7, signal: null } },
    ]);
    after.runs.signal("web.1.1", "SIGTERM");
    expect(await after.end("web.1.1")).toMatchObject({ signal: "SIGTERM" });
    expect(isRunning(identity.osPid)).toBe(false);
    expect(readFileSync(join(home.runs, "web.1.1.exit"), "utf8")).toBe("143\n");
  });
});
