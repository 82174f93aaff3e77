/**
 * Unit: where the daemon stands among the units and logins of a machine. A cgroup of the real kernel stands for a unit. What systemd does
 * with it is tried by `npm run machine`.
 *
 * @module
 */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { findHeart } from "../src/daemon/boot/heart.ts";
import { findCgroup } from "../src/daemon/limits/cgroup.ts";
import { needsLinux } from "./debian.ts";
import { colosFile } from "./system/colos-process.ts";
import { test, type DaemonPlace, type Said } from "./system/daemon-place.ts";
import { gone } from "./system/os-processes.ts";

let groupsCount = 0;

/** A group in the hierarchy that tells who is where; undefined where none may be made. */
function newGroup(): string | undefined {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  const fields = mounts.map((line) => line.split(" "));
  const named = fields.find(([, , type, options]) => type === "cgroup" && options?.split(",").includes("name=systemd"));
  const [, point] = named ?? fields.find(([, , type]) => type === "cgroup2") ?? [];
  if (point === undefined) return undefined;
  const folder = join(point, `colos-test-${process.pid}-${(groupsCount += 1)}`);
  try {
    mkdirSync(folder);
  } catch {
    return undefined;
  }
  onTestFinished(() => {
    // Who is left, such as the recorder that looks once more, goes out of it.
    for (const osPid of readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n"))
      if (osPid !== "") writeFileSync(join(point, "cgroup.procs"), osPid);
    rmdirSync(folder);
  });
  return folder;
}

/** Runs colos in the group. */
function within(group: string, place: DaemonPlace, ...words: string[]): Promise<Said> {
  return place.script(`echo $$ >'${group}/cgroup.procs'; exec '${process.execPath}' '${colosFile}' ${words.join(" ")}`);
}

const cgroups = (place: DaemonPlace): readonly (string | undefined)[] =>
  [place.daemonPid(), findHeart(place.home)!.osPid].map(findCgroup);

const services = { web: { command: ["sleep", "1000"] } };

needsLinux().describe("unit", () => {
  test("an update that is typed elsewhere leaves the daemon where it was", async ({ place, skip }) => {
    const group = newGroup();
    if (group === undefined) return skip("needs a cgroup hierarchy that may be written");
    place.config(services);
    await within(group, place, "up");
    const before = place.daemonPid();
    const stood = cgroups(place);
    const web = await place.instance("web");

    const { code, stderr } = await place.colos("update");
    await gone(before);

    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stood[0]).not.toBe(findCgroup("self"));
    expect(cgroups(place)).toEqual(stood);
    expect(await place.instance("web")).toMatchObject({ osPid: web?.["osPid"], restartsCount: 0 });
  });

  test("a daemon that was started by hand comes into the unit with its heart", async ({ place, skip }) => {
    const group = newGroup();
    if (group === undefined) return skip("needs a cgroup hierarchy that may be written");
    place.config(services);
    await place.colos("up");
    const web = await place.instance("web");

    const { code, stderr, stdout } = await within(group, place, "up", "--unit");
    const stood = cgroups(place);
    const again = await within(group, place, "up", "--unit");

    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("runs in this unit now; no service was touched");
    expect(stood[0]).not.toBe(findCgroup("self"));
    expect(stood[1]).toBe(stood[0]);
    expect(await place.instance("web")).toMatchObject({ osPid: web?.["osPid"] });
    expect(again.stdout).not.toContain("runs in this unit now");
  });

  test("a service that fails does not fail the unit", async ({ place }) => {
    place.config({ ...services, bad: { command: ["sh", "-c", "exit 3"], maxRestarts: 0 } });

    const { code, stderr } = await place.colos("up", "--unit");

    expect(code).toBe(0);
    expect(stderr).toContain("bad is degraded: exit code 3");
  });
});
