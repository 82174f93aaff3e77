/** Cgroups: a folder with the files of a delegated group. What only a kernel does (moving, refusing, counting) is written by hand. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Cgroups, openCgroups, type CgroupSources } from "./cgroup.ts";

interface Machine {
  readonly controllers?: string;
  readonly procs?: string;
  readonly path?: string;
  readonly isMachineRoot?: boolean;
  readonly mountType?: string;
  readonly mountRoot?: string;
  readonly isDelegated?: boolean;
}

/** A mounted cgroup2 with the group `/unit` in it. */
function machine({
  controllers = "cpuset cpu io memory pids",
  procs = "10\n11\n",
  path = "/unit",
  isMachineRoot = false,
  mountType = "cgroup2",
  mountRoot = "/",
  isDelegated = true,
}: Machine = {}) {
  const root = mkdtempSync(join(tmpdir(), "colos cgroup-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const point = join(root, "mount");
  const unit = join(point, "unit");
  mkdirSync(unit, { recursive: true });
  for (const folder of [point, unit]) {
    writeFileSync(join(folder, "cgroup.controllers"), `${controllers}\n`);
    writeFileSync(join(folder, "cgroup.procs"), procs);
    writeFileSync(join(folder, "cgroup.subtree_control"), "");
    if (!isMachineRoot) writeFileSync(join(folder, "cgroup.events"), "populated 1\n");
  }
  const self = join(root, "self");
  const mounts = join(root, "mounts");
  writeFileSync(self, `4:memory:/other\n0::${path}\n`);
  writeFileSync(
    mounts,
    `25 20 0:23 / / rw - ext4 /dev/root rw\n30 25 0:27 ${mountRoot} ${point.replaceAll(" ", "\\040")} rw shared:9 - ${mountType} none rw\n`,
  );
  const sources: CgroupSources = { self, mounts, isOurs: (osPid) => osPid < 100, isDelegated: () => isDelegated };
  return { point, unit, sources, open: (home = "/home/a") => openCgroups(home, sources) };
}

function opened(made: ReturnType<typeof openCgroups>): Cgroups {
  if ("absent" in made) throw new Error(made.absent);
  return made;
}

const textOf = (...path: string[]): string => readFileSync(join(...path), "utf8");

describe("cgroup: taking over", () => {
  test("colos moves into a leaf, then hands on the controllers", () => {
    const { unit, open } = machine();

    const cgroups = opened(open());

    expect(cgroups.controllers).toEqual(["cpu", "memory", "pids"]);
    expect(textOf(unit, "colos-daemon", "cgroup.procs")).toBe("11"); // a real one takes one after the other
    expect(textOf(unit, "cgroup.subtree_control")).toBe("+cpu+memory+pids");
  });

  test("a later daemon, which begins in the leaf, finds the same group", () => {
    const { unit, open } = machine({ path: "/unit/colos-daemon", procs: "" });
    writeFileSync(join(unit, "cgroup.subtree_control"), "cpu memory pids\n");

    expect(opened(open()).pathOf("web.1.1").startsWith(`${unit}/run.`)).toBe(true);
    expect(textOf(unit, "cgroup.subtree_control")).toBe("cpu memory pids\n");
  });

  test("a daemon that was started to stop a unit divides the unit, and not what systemd stops it from", () => {
    const { unit, open } = machine({ path: "/unit/.control", procs: "" });
    mkdirSync(join(unit, ".control"));
    writeFileSync(join(unit, ".control", "cgroup.procs"), `${process.pid}\n500\n`);

    expect(opened(open()).pathOf("web.1.1").startsWith(`${unit}/run.`)).toBe(true);
    expect(textOf(unit, "colos-daemon", "cgroup.procs")).toBe(String(process.pid));
    expect(readdirSync(join(unit, ".control"))).toEqual(["cgroup.procs"]);
  });

  test("in a namespace of its own, everybody is moved", () => {
    const { point, open } = machine({ path: "/", procs: "1\n500\n" });

    opened(open());

    expect(textOf(point, "colos-daemon", "cgroup.procs")).toBe("500");
  });

  test("a mount of a part of the tree is understood", () => {
    const { unit, open } = machine({ mountRoot: "/docker/abc", path: "/docker/abc/unit" });

    expect(opened(open()).pathOf("a").startsWith(unit)).toBe(true);
  });

  const withDelegate = "start it as a unit with Delegate=yes";
  test.each<[string, Machine, RegExp]>([
    ["without version 2", { mountType: "cgroup" }, /^cgroup v2 is not mounted$/],
    ["in the machine's root", { isMachineRoot: true }, /^the daemon is in the root cgroup of the machine; /],
    [
      "in a group that it can write to, where it is alone, and that nobody gave it",
      { isDelegated: false },
      new RegExp(`unit is not delegated to it; ${withDelegate}$`),
    ],
    [
      "beside others",
      { procs: "10\n4000\n" },
      new RegExp(`unit holds OS processes of others too, such as 4000; ${withDelegate}$`),
    ],
  ])("%s it says why not, and changes nothing", (_, of, why) => {
    const { unit, open } = machine(of);

    const made = open();

    expect("absent" in made && made.absent).toMatch(why);
    expect(existsSync(join(unit, "colos-daemon"))).toBe(false);
  });

  test("without controllers it keeps runs apart, and nobody is moved", () => {
    const { unit, open } = machine({ controllers: "hugetlb" });

    const cgroups = opened(open());

    expect(cgroups.controllers).toEqual([]);
    expect(existsSync(join(unit, "colos-daemon"))).toBe(false);
    expect(readdirSync(cgroups.make("web.1.1", { memoryBytes: 1 }))).toEqual([]);
  });

  test("what cannot be divided is left alone", () => {
    const { unit, open } = machine();
    writeFileSync(join(unit, "colos-daemon"), "in the way");

    const made = open();

    expect("absent" in made && made.absent).toMatch(/unit cannot be divided: EEXIST/);
  });
});

describe("cgroup: one run", () => {
  test("its limits are written as the kernel reads them", () => {
    const cgroups = opened(machine().open());

    const path = cgroups.make("web.1.1", { memoryBytes: 104_857_600, cpuPercent: 150, pidsMax: 20, fdsMax: 5 });

    expect(readdirSync(path).toSorted()).toEqual(["cpu.max", "memory.max", "pids.max"]);
    expect([textOf(path, "memory.max"), textOf(path, "cpu.max"), textOf(path, "pids.max")]).toEqual([
      "104857600",
      "150000 100000",
      "20",
    ]);
  });

  test("swap is no way out of a memory limit, and the run is ended as a whole", () => {
    const cgroups = opened(machine().open());
    const path = cgroups.pathOf("web.1.1");
    mkdirSync(path);
    for (const file of ["memory.swap.max", "memory.oom.group"]) writeFileSync(join(path, file), "max");

    cgroups.make("web.1.1", { memoryBytes: 1_048_576 });

    expect([textOf(path, "memory.swap.max"), textOf(path, "memory.oom.group")]).toEqual(["0", "1"]);
  });

  test("a controller that is missing leaves its limit out", () => {
    const cgroups = opened(machine({ controllers: "memory" }).open());

    const path = cgroups.make("web.1.1", { memoryBytes: 1_048_576, cpuPercent: 1, pidsMax: 1 });

    expect(readdirSync(path)).toEqual(["memory.max"]);
  });

  test("the least part of a core is what the kernel takes", () => {
    const cgroups = opened(machine().open());

    expect(textOf(cgroups.make("web.1.1", { cpuPercent: 0.1 }), "cpu.max")).toBe("1000 100000");
  });

  test("an end by the kernel is told from others", () => {
    const cgroups = opened(machine().open());
    const path = cgroups.make("web.1.1", { memoryBytes: 1_048_576 });

    writeFileSync(join(path, "memory.events"), "low 0\nmax 12\noom 1\noom_kill 0\n");
    const before = cgroups.whyEnded("web.1.1");
    writeFileSync(join(path, "memory.events"), "low 0\nmax 12\noom 1\noom_kill 3\n");

    expect(before).toBeUndefined();
    expect(cgroups.whyEnded("web.1.1")).toBe(
      "the OS kernel ended it, because it needed more than its memory limit of 1048576 bytes",
    );
    expect(cgroups.whyEnded("never.1.1")).toBeUndefined();
  });

  test("kill is the kernel's own, where it has one", () => {
    const cgroups = opened(machine().open());
    const path = cgroups.make("web.1.1", {});
    writeFileSync(join(path, "cgroup.kill"), "");

    expect([cgroups.kill("web.1.1"), cgroups.kill("other.1.1")]).toEqual([true, false]);
    expect(textOf(path, "cgroup.kill")).toBe("1");
  });

  test("an empty group is removed, and one that is gone already counts as removed", () => {
    const cgroups = opened(machine().open());
    const path = cgroups.make("web.1.1", {});

    expect([cgroups.remove("web.1.1"), cgroups.remove("web.1.1")]).toEqual([true, true]);
    expect(existsSync(path)).toBe(false);
  });

  test("sweeping removes groups of this home's runs that are over, no others", () => {
    const { open, unit } = machine();
    const cgroups = opened(open());
    const other = opened(open("/home/b"));
    const paths = [cgroups.make("over.1.1", {}), cgroups.make("alive.1.1", {}), other.make("over.1.1", {})];

    cgroups.sweep((run) => run === "alive.1.1");

    expect(paths.map((path) => existsSync(path))).toEqual([false, true, true]);
    expect(existsSync(join(unit, "colos-daemon"))).toBe(true);
  });

  test("a limit that the kernel refuses leaves no group", () => {
    const cgroups = opened(machine().open());
    const path = cgroups.pathOf("web.1.1");
    mkdirSync(join(path, "pids.max"), { recursive: true });
    chmodSync(path, 0o700);

    expect(() => cgroups.make("web.1.1", { pidsMax: 5 })).toThrow("EISDIR");
  });
});
