import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { isDelegated, type DelegationSources } from "./delegation.ts";

const scope = "/sys/fs/cgroup/user.slice/user-0.slice/session-2.scope";
const unit = "/sys/fs/cgroup/system.slice/colos.service";
const ofUser = "/sys/fs/cgroup/user.slice/user-7.slice/user@7.service/app.slice/colos.service";

/** Groups of whom, and what programs say; what was asked is in `asked`. */
function machine(
  userId: number,
  owners: Readonly<Record<string, number>>,
  says: Readonly<Record<string, string>> = {},
) {
  const asked: string[] = [];
  const sources: DelegationSources = {
    userId,
    ownerOf: (group) => owners[group] ?? 0,
    ask: (command, args) => {
      const line = [command, ...args].join(" ");
      asked.push(line);
      return Object.entries(says).find(([end]) => line.endsWith(end))?.[1];
    },
  };
  return { sources, asked };
}

test("a root daemon in the scope of a login has nothing, however alone it is there", () => {
  const { sources, asked } = machine(0, {}, { "Delegate --value session-2.scope": "no\n" });
  expect(isDelegated(scope, false, sources)).toBe(false);
  expect(asked.at(-1)).toBe("systemctl show --property=Delegate --value session-2.scope");
});

test("a unit with Delegate= has its group", () => {
  const { sources } = machine(0, {}, { "--value colos.service": "yes\n" });
  expect(isDelegated(unit, false, sources)).toBe(true);
});

test("a unit of a user is asked for where that user's systemd is", () => {
  const owners = { [ofUser]: 7, "/sys/fs/cgroup/user.slice/user-7.slice/user@7.service/app.slice": 7 };
  const { sources, asked } = machine(7, owners, { "--user show --property=Delegate --value colos.service": "yes" });
  expect(isDelegated(ofUser, false, sources)).toBe(true);
  expect(asked.at(-1)).toContain("systemctl --user show");
  expect(isDelegated(ofUser, false, machine(7, owners).sources)).toBe(false);
});

test.each(["user.delegate", "trusted.delegate"])("a group that is marked with %s is delegated", (name) => {
  const group = "/sys/fs/cgroup/by-hand";
  expect(isDelegated(group, false, machine(0, {}, { [`${name} ${group}`]: "1" }).sources)).toBe(true);
  expect(isDelegated(group, false, machine(0, {}, { [`${name} ${group}`]: "0" }).sources)).toBe(false);
});

test("a group that somebody else has given to this user is theirs, and nobody is asked", () => {
  const { sources, asked } = machine(7, { [unit]: 7 });
  expect(isDelegated(unit, false, sources)).toBe(true);
  expect(asked).toEqual([]);
});

test("the highest group that a container sees is its own", () => {
  expect(isDelegated("/sys/fs/cgroup", true, machine(0, {}).sources)).toBe(true);
});

test("a group that is no unit and has no mark is nobody's to divide, and its name is no option of a program", () => {
  const { sources, asked } = machine(0, {});
  expect(isDelegated("/sys/fs/cgroup/-p.service", false, sources)).toBe(false);
  expect(isDelegated("/sys/fs/cgroup/system.slice", false, sources)).toBe(false);
  expect(asked.filter((line) => line.startsWith("systemctl"))).toEqual([]);
});

test("programs that are not there, or know nothing, say nothing", () => {
  const folder = mkdtempSync(join(tmpdir(), "colos-delegation-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const group = join(folder, "unknown-to-anybody.service");
  mkdirSync(group);
  expect(isDelegated(group, false)).toBe(false);
});
