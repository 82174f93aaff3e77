import { describe, expect, test } from "vitest";
import { identityOf, type IdentityConfig, type IdentityHost } from "./identity.ts";

const root: IdentityHost = {
  userId: 0,
  groupId: 0,
  may: () => true,
  changer: { path: "/usr/bin/setpriv", kind: "setpriv" },
  nicePath: "/usr/bin/nice",
};
const person: IdentityHost = { ...root, userId: 1000, groupId: 1000, may: () => false };

async function prefixOf(config: IdentityConfig, host = root): Promise<string> {
  const identity = await identityOf(config, host);
  return "problem" in identity ? identity.problem : identity.prefix.join(" ");
}

describe("identity: how", () => {
  test.each<[IdentityConfig, IdentityHost, string]>([
    [{}, root, ""],
    [{ user: "nobody" }, root, "/usr/bin/setpriv --reuid=65534 --regid=65534 --init-groups"],
    [{ user: 65_534 }, root, "/usr/bin/setpriv --reuid=65534 --regid=65534 --init-groups"],
    [{ user: "4242", group: 7 }, root, "/usr/bin/setpriv --reuid=4242 --regid=7 --clear-groups"],
    [{ user: "nobody", group: "daemon" }, root, "/usr/bin/setpriv --reuid=65534 --regid=1 --init-groups"],
    [{ group: 7 }, root, "/usr/bin/setpriv --reuid=0 --regid=7 --clear-groups"],
    [
      { user: "nobody" },
      { ...root, changer: { path: "/sbin/su-exec", kind: "su-exec" } },
      "/sbin/su-exec nobody:65534",
    ],
    [{ user: 1000, group: 1000 }, person, ""],
    [{ nice: 0 }, { ...person, nicePath: undefined }, ""],
    [
      { nice: -5, user: "nobody" },
      root,
      "/usr/bin/nice -n -5 /usr/bin/setpriv --reuid=65534 --regid=65534 --init-groups",
    ],
    [{ nice: 19 }, person, "/usr/bin/nice -n 19"],
  ])("%j", async (config, host, prefix) => {
    expect(await prefixOf(config, host)).toBe(prefix);
  });

  test("it is described", async () => {
    expect(await identityOf({ user: "nobody", nice: 5 }, root)).toMatchObject({
      ids: { userId: 65_534, groupId: 65_534 },
      describe: ["user: nobody (user 65534, group 65534), by /usr/bin/setpriv", "nice: 5"],
    });
  });
});

describe("identity: refused", () => {
  test.each<[IdentityConfig, IdentityHost, string]>([
    [{ user: "nobdy" }, root, 'user: there is no user "nobdy" on this machine; make it (useradd) or write another'],
    [{ group: "nogrp" }, root, 'group: there is no group "nogrp" on this machine; make it (groupadd) or write another'],
    [
      { user: "nobody" },
      person,
      "user: nobody needs root, and the daemon runs as user 1000; start the daemon as root, or leave it out",
    ],
    [
      { user: "root" },
      person,
      "user: root needs root, and the daemon runs as user 1000; start the daemon as root, or leave it out",
    ],
    [
      { group: 7 },
      person,
      "group: 7 needs root, and the daemon runs as user 1000; start the daemon as root, or leave it out",
    ],
    [
      { user: "nobody" },
      { ...root, changer: undefined },
      "user: nobody needs setpriv (util-linux; busybox has a lesser one), su-exec or gosu, and none is on this machine",
    ],
    [{ nice: -1 }, person, "nice: -1 needs root; start the daemon as root, or write 0 to 19"],
    [{ nice: 1 }, { ...root, nicePath: undefined }, "nice: the program nice is not on this machine (coreutils)"],
  ])("%j", async (config, host, problem) => {
    expect(await identityOf(config, host)).toEqual({ problem });
  });
});
