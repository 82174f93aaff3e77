/**
 * Delegation: whether a group of the cgroup tree was handed to whoever runs in it, to divide as they like.
 *
 * Each group has one who writes to it; below systemd that is systemd, for every group that it has not marked as handed on. That a group
 * can be written to says nothing for root, who can write everywhere, nor for a user in what their own `systemd --user` looks after.
 * Guarantees: a group counts as delegated when one of these says so, and else not: it is the root of a cgroup namespace (a container); it
 * belongs to this user and the group above it to somebody else, who so has given it away; it is marked (`user.delegate` or
 * `trusted.delegate`, which systemd sets, and which anybody may set who makes groups by hand); its unit has `Delegate=`.
 * Limits: Node reads no marks, so getfattr(1) and systemctl(1) are asked where they are, for at most `askTimeoutMs` each; where neither is, a
 * group of root's is not delegated.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { basename, dirname } from "node:path";

/** How long one program may take to say whether a group is marked, in milliseconds. */
export const askTimeoutMs = 3_000;

/** What is known of groups; for tests. */
export interface DelegationSources {
  /** Who this is. */
  readonly userId: number;
  /** To whom a group belongs. @throws the OS's error */
  ownerOf(group: string): number;
  /** The output of a program, or undefined when there is none, or it does not know. */
  ask(command: string, args: readonly string[]): string | undefined;
}

/** Whether the group may be divided. `isNamespaceRoot`: nobody in this cgroup namespace can see what is above it. */
export function isDelegated(group: string, isNamespaceRoot: boolean, sources: DelegationSources = osSources): boolean {
  return (
    isNamespaceRoot || isGivenAway(group, sources) || isMarked(group, sources) || hasDelegatingUnit(group, sources)
  );
}

function isGivenAway(group: string, { userId, ownerOf }: DelegationSources): boolean {
  return ownerOf(group) === userId && ownerOf(dirname(group)) !== userId;
}

function isMarked(group: string, { ask }: DelegationSources): boolean {
  return ["user.delegate", "trusted.delegate"].some(
    (name) => ask("getfattr", ["--absolute-names", "--only-values", "--name", name, group])?.trim() === "1",
  );
}

function hasDelegatingUnit(group: string, { ask }: DelegationSources): boolean {
  const unit = basename(group);
  if (!/^[\w:.\\@-]+\.(service|scope)$/.test(unit) || unit.startsWith("-")) return false;
  const manager = /\/user@\d+\.service\//.test(group) ? ["--user"] : [];
  return ask("systemctl", [...manager, "show", "--property=Delegate", "--value", unit])?.trim() === "yes";
}

const osSources: DelegationSources = {
  userId: process.geteuid?.() ?? -1,
  ownerOf: (group) => statSync(group).uid,
  ask: (command, args) => {
    try {
      const stdio = ["ignore", "pipe", "ignore"] as const;
      return execFileSync(command, args, { encoding: "utf8", timeout: askTimeoutMs, stdio: [...stdio], env: askEnv() });
    } catch {
      return undefined;
    }
  },
};

/** What was meant for whoever started the daemon is not in its environment; systemctl finds the user's systemd by this. */
function askEnv(): Readonly<Record<string, string | undefined>> {
  return { PATH: process.env["PATH"], LC_ALL: "C", XDG_RUNTIME_DIR: `/run/user/${process.geteuid?.()}` };
}
