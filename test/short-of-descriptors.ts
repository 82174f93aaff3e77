/**
 * Short of descriptors: an OS process that uses up its file descriptors, and prints (JSON) what looks say then: of its parent, and of the
 * run web.1.1 of a home. Arguments: the home. First with the spare descriptor, then without it.
 *
 * @module
 */
import { openSync } from "node:fs";
import process from "node:process";
import { homeAt } from "../src/daemon/home.ts";
import { identityOf, isAlive, isSurelyAlive } from "../src/daemon/os-identity.ts";
import { recordsIn } from "../src/daemon/run/run-files.ts";
import { RunMembers } from "../src/daemon/run/run-members.ts";
import { assertPortFree } from "../src/os/port-holder.ts";
import { withSpareDescriptor } from "../src/os/spare-descriptor.ts";

/** What was seen; a refusal is its code. */
export interface Seen {
  readonly isAlive: unknown;
  readonly isSurelyAlive: unknown;
  /** Runs that the home has. */
  readonly runs: unknown;
  /** `seen` when all OS processes could be looked at. */
  readonly look: unknown;
  /** Whether a port is free, which takes a socket. */
  readonly port: unknown;
}

const home = homeAt(process.argv[2]!);
const parent = identityOf(process.ppid)!;
const members = new RunMembers(home.root);

async function seen(): Promise<Seen> {
  return {
    isAlive: tried(() => isAlive(parent)),
    isSurelyAlive: tried(() => isSurelyAlive(parent)),
    runs: tried(() => recordsIn(home).map(({ id }) => id)),
    look: tried(() => (members.lookNow(), "seen")),
    port: await assertPortFree(1, "127.0.0.1").catch((error: NodeJS.ErrnoException) => error.code),
  };
}

function tried(look: () => unknown): unknown {
  try {
    return look();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

function open(): boolean {
  try {
    openSync("/dev/null", "r");
    return true;
  } catch {
    return false;
  }
}

while (open());
const withSpare = await seen();
withSpareDescriptor(() => openSync("/dev/null", "r")); // and it is not closed
process.stdout.write(JSON.stringify([withSpare, await seen()]));
