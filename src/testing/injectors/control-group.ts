/**
 * Control group: the victim is moved into a cgroup of its own whose memory is short (`oom-kill`) or that is frozen (`stop`).
 *
 * Works with cgroup v2 and v1 alike, whichever the machine lets us write. Memory that the victim has already stays charged
 * where it was, so it is ended when it asks for more, and one that asks for none in time lives.
 * A frozen victim looks as one that sleeps, unlike one stopped by SIGSTOP.
 *
 * @module
 */
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Guard, GuardError } from "../guard.ts";
import { attaching, identityOf, isSame, probing, type Injector, type Strike } from "../injector.ts";
import { withVictim } from "../victim.ts";

/** How much more memory a victim may take before it is ended, in bytes. */
export const oomBytes: number = 512 * 1024;

let groupsCount = 0;

export const controlGroup: Injector = attaching(
  {
    name: "control-group",
    faults: ["oom-kill", "stop"],
    needs: "a cgroup hierarchy with the memory controller that this user may write",
    undoneBy: "a guard that moves the victim back and removes the group",
    probe: () =>
      probing(() =>
        withVictim(async (victim) => {
          const strike = await shortenMemory(victim.osPid, 5000);
          const answer = await victim.run('kept.all = []; for (;;) kept.all.push(Buffer.alloc(1 << 20, "x"))');
          await strike.undo();
          const { signal } = await victim.ended;
          return signal === "SIGKILL" ? undefined : `the victim was not ended (${String(answer)}, ${signal})`;
        }),
      ),
  },
  (fault, { osPid }, { forMs }) => (fault === "stop" ? freeze(osPid, forMs) : shortenMemory(osPid, forMs)),
);

function shortenMemory(osPid: number, limitMs: number): Promise<Strike> {
  const { parent, home, version } = groupFor(osPid, "memory");
  const limit = version === 2 ? "memory.max" : "memory.limit_in_bytes";
  return inGroup({ osPid, parent, home, set: `echo ${oomBytes} >"$3/${limit}"`, reset: ":", limitMs });
}

function freeze(osPid: number, limitMs: number): Promise<Strike> {
  const { parent, home, version } = groupFor(osPid, "freezer");
  const [set, reset] =
    version === 2
      ? [
          `echo 1 >"$3/cgroup.freeze" && until grep -q "frozen 1" "$3/cgroup.events"; do sleep 0.002; done`,
          `echo 0 >"$3/cgroup.freeze"`,
        ]
      : [
          `echo FROZEN >"$3/freezer.state" && until grep -q FROZEN "$3/freezer.state"; do sleep 0.002; done`,
          `echo THAWED >"$3/freezer.state"`,
        ];
  return inGroup({ osPid, parent, home, set, reset, limitMs });
}

interface Change {
  readonly osPid: number;
  /** The folder that the new group is made in. */
  readonly parent: string;
  /** The group's folder that the victim is in now. */
  readonly home: string;
  readonly set: string;
  readonly reset: string;
  readonly limitMs: number;
}

function inGroup({ osPid, parent, home, set, reset, limitMs }: Change): Promise<Strike> {
  groupsCount += 1;
  const group = join(parent, `colos-${process.pid}-${groupsCount}`);
  const args = [String(osPid), identityOf(osPid), group, home];
  return Guard.start({
    functions: isSame,
    does: `mkdir "$3" && is_same "$1" "$2" && echo "$1" >"$3/cgroup.procs" && ${set}`,
    // All that the victim started meanwhile is in the group as well. An ended victim leaves it a moment later.
    undoes: `test -d "$3" || return 0; ${reset}; n=0
      until rmdir "$3" 2>/dev/null; do
        while read -r p; do echo "$p" >"$4/cgroup.procs"; done <"$3/cgroup.procs" 2>/dev/null
        n=$((n+1)); test $n -lt 200 || return 1; sleep 0.01
      done`,
    args,
    limitMs,
  });
}

/** Where a group with this controller can be made, and where the victim is now. */
function groupFor(
  osPid: number,
  controller: "memory" | "freezer",
): { readonly parent: string; readonly home: string; readonly version: 1 | 2 } {
  const own = readFileSync(`/proc/${osPid}/cgroup`, "utf8").trim().split("\n");
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "));
  const pathOf = (matches: (controllers: string) => boolean): string | undefined =>
    own.map((line) => line.split(":")).find(([, controllers = ""]) => matches(controllers))?.[2];

  const unified = mounts.find(([, , type]) => type === "cgroup2")?.[1];
  const unifiedPath = pathOf((controllers) => controllers === "");
  if (unified !== undefined && unifiedPath !== undefined) {
    const home = join(unified, unifiedPath);
    // A group with members of its own has no controllers for those below, so a new one stands beside the victim's.
    const parent = unifiedPath === "/" ? home : dirname(home);
    const offered = controller === "freezer" ? "freezer" : read(join(parent, "cgroup.subtree_control"));
    if (offered.split(/\s+/).includes(controller) && isWritable(parent)) return { parent, home, version: 2 };
  }
  const mounted = mounts.find(
    ([, , type, options = ""]) => type === "cgroup" && options.split(",").includes(controller),
  )?.[1];
  const path = pathOf((controllers) => controllers.split(",").includes(controller));
  if (mounted !== undefined && path !== undefined) {
    const home = join(mounted, path);
    if (existsSync(home) && isWritable(home)) return { parent: mounted, home, version: 1 };
  }
  throw new GuardError(`there is no cgroup with the controller ${controller} that this user may write`);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    accessSync(join(folder, "cgroup.procs"), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
