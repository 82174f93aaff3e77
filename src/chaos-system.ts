/**
 * Chaos system: failure testing of the system that runs in a home: the injectors of `testing/`, and whom the home says they may
 * strike.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Chaos } from "./control/chaos.ts";
import { managerClient } from "./control/manager-client.ts";
import { findHeart } from "./daemon/boot/heart.ts";
import { homeAt, type Home } from "./daemon/home.ts";
import { identityOfLines, isAlive } from "./daemon/os-identity.ts";
import { readIdentity, readRecord, runFile, runIdOf } from "./daemon/run/run-files.ts";
import { isWaiting } from "./daemon/run/run-turn.ts";
import { RunMembers, type RunOwner } from "./daemon/run/run-members.ts";
import type { OsIdentity } from "./daemon/run/run.ts";
import { startTicks } from "./os/process-sample.ts";
import { unixHttp } from "./platforms/node/unix-http.ts";
import { chaosOn } from "./testing/chaos/chaos.ts";
import type { ChaosGround, OsProcess } from "./testing/chaos/victims.ts";

/** Failure testing of the home at `root` (absolute). */
export function openChaos(root: string): Chaos {
  return chaosOn(groundOf(homeAt(root)));
}

function groundOf(home: Home): ChaosGround {
  const members = new RunMembers(home.root);
  return {
    home: home.root,
    manager: managerClient(unixHttp(home.controlSocket)),
    membersOf: (service, instance) => {
      const owner = ownerOf(home, service, instance);
      return owner === undefined ? [] : membersNow(members, owner);
    },
    findOwn: (part) => {
      if (part === "heart") return findHeart(home);
      const file = part === "daemon" ? home.daemon : join(home.root, "recorder.lock");
      const identity = identityOfLines(textOf(file));
      return identity !== undefined && isAlive(identity) ? identity : undefined;
    },
    findShim: (service, instance) => ownerOf(home, service, instance)?.shim,
  };
}

/** The run of an instance, not its standby, whose first OS process lives; undefined when none does. Nothing in the home is changed. */
function ownerOf(home: Home, service: string, instance: number): RunOwner | undefined {
  for (const name of namesIn(home.runs)) {
    const file = runIdOf(name);
    if (file?.kind !== "pid" || !file.id.startsWith(`${service}.${instance}.`)) continue;
    const record = readRecord(home, file.id);
    if (record === undefined || record.service !== service || record.instance !== instance) continue;
    if (isWaiting(home, record)) continue;
    const identity = readIdentity(runFile(home, file.id, "pid"), record.bootId);
    if (identity === undefined || !isAlive(identity)) continue;
    const shim = living(readIdentity(runFile(home, file.id, "shim"), record.bootId));
    return { id: file.id, service: identity, shim, cgroup: record.cgroup };
  }
  return undefined;
}

/** A pid counts with the start ticks that it had before it was seen to be a member, so a later OS process of it is none. */
function membersNow(members: RunMembers, owner: RunOwner): readonly OsProcess[] {
  const ticks = new Map<number, number | undefined>();
  for (const { osPid } of members.lookNow().membersOf(owner)) ticks.set(osPid, startTicks(osPid));
  return members
    .lookNow()
    .membersOf(owner)
    .flatMap(({ osPid }) => {
      const started = ticks.get(osPid);
      return started === undefined ? [] : [{ osPid, startTicks: started }];
    });
}

function living(identity: OsIdentity | undefined): OsIdentity | undefined {
  return identity !== undefined && isAlive(identity) ? identity : undefined;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
