/**
 * Identity: as which user and group a run executes, and how nice it is.
 *
 * A small program that replaces itself by the service does it (`setpriv`, `su-exec`, `gosu`, `nice`), because Node has no way to
 * set the supplementary groups of a user and a shell has none at all.
 *
 * Guarantees: what cannot be is refused before anything starts, with one sentence. A user's supplementary groups are those that
 * the OS has for it; a user number that nobody has gets none. What a service may not do, it cannot get back.
 * Limits: Linux. Without root only the daemon's own user and group, and a nice value of 0 or more.
 * Not here: HOME, USER and so on (environment.ts).
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { findGroup, findUser } from "../../os/account.ts";
import { findExecutable } from "../../os/executable.ts";
import { runCommand } from "../bounded-command.ts";

/** capabilities(7), by number. */
const capabilities = { setGroup: 6n, setUser: 7n, nice: 23n, limits: 24n } as const;
/** Where these programs are, whatever the daemon's PATH. */
const toolsPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** How long a tool may take to say what it can, in milliseconds. */
const helpTimeoutMs = 5_000;

/** The part of a plan or spec that says who it is. */
export interface IdentityConfig {
  readonly user?: string | number;
  readonly group?: string | number;
  readonly nice?: number;
}

/** What this OS process may do and what the machine has for it. */
export interface IdentityHost {
  readonly userId: number;
  readonly groupId: number;
  may(what: keyof typeof capabilities): boolean;
  /** The program that changes user and group; undefined when there is none. */
  readonly changer: { readonly path: string; readonly kind: "setpriv" | "su-exec" | "gosu" } | undefined;
  readonly nicePath: string | undefined;
}

/** How a run becomes who it is to be. */
export interface Identity {
  /** Words before the command line. */
  readonly prefix: readonly string[];
  /** The user's and group's numbers, when they are not the daemon's. */
  readonly ids?: { readonly userId: number; readonly groupId: number };
  /** One sentence each, for `colos show`. */
  readonly describe: readonly string[];
}

/** Looks at this OS process and this machine. */
export async function identityHost(): Promise<IdentityHost> {
  const effective = capabilitiesNow();
  return {
    userId: process.geteuid?.() ?? -1,
    groupId: process.getegid?.() ?? -1,
    may: (what) => ((effective >> capabilities[what]) & 1n) === 1n,
    changer: await findChanger(),
    nicePath: findTool("nice"),
  };
}

/** How to become it, or why that cannot be: one sentence, without the service's name. */
export async function identityOf(
  config: IdentityConfig,
  host: IdentityHost,
): Promise<Identity | { readonly problem: string }> {
  const nicer = niceness(config.nice, host);
  if ("problem" in nicer) return nicer;
  const changed = await accountChange(config, host);
  if ("problem" in changed) return changed;
  return {
    prefix: [...nicer.prefix, ...changed.prefix],
    ...(changed.ids === undefined ? {} : { ids: changed.ids }),
    describe: [...changed.describe, ...nicer.describe],
  };
}

function niceness(nice: number | undefined, { may, nicePath }: IdentityHost): Identity | { problem: string } {
  if (nice === undefined || nice === 0) return { prefix: [], describe: [] };
  if (nice < 0 && !may("nice"))
    return { problem: `nice: ${nice} needs root; start the daemon as root, or write 0 to 19` };
  if (nicePath === undefined) return { problem: "nice: the program nice is not on this machine (coreutils)" };
  return { prefix: [nicePath, "-n", String(nice)], describe: [`nice: ${nice}`] };
}

async function accountChange(
  { user, group }: IdentityConfig,
  host: IdentityHost,
): Promise<Identity | { problem: string }> {
  if (user === undefined && group === undefined) return { prefix: [], describe: [] };
  const account = user === undefined ? undefined : await findUser(user);
  const entry = group === undefined ? undefined : await findGroup(group);
  const userId = account?.id ?? numberOf(user) ?? (user === undefined ? host.userId : undefined);
  if (userId === undefined)
    return {
      problem: `user: there is no user ${JSON.stringify(user)} on this machine; make it (useradd) or write another`,
    };
  const groupId =
    entry?.id ?? numberOf(group) ?? (group === undefined ? (account?.groupId ?? host.groupId) : undefined);
  if (groupId === undefined)
    return {
      problem: `group: there is no group ${JSON.stringify(group)} on this machine; make it (groupadd) or write another`,
    };
  if (userId === host.userId && groupId === host.groupId) return { prefix: [], describe: [] };
  const what = user === undefined ? `group: ${group}` : `user: ${user}`;
  if ((userId !== host.userId && !host.may("setUser")) || !host.may("setGroup"))
    return {
      problem: `${what} needs root, and the daemon runs as user ${host.userId}; start the daemon as root, or leave it out`,
    };
  const { changer } = host;
  if (changer === undefined)
    return {
      problem: `${what} needs setpriv (util-linux; busybox has a lesser one), su-exec or gosu, and none is on this machine`,
    };
  const name = account?.name ?? String(userId);
  return {
    prefix: changeWords(changer, userId, groupId, account?.name),
    ids: { userId, groupId },
    describe: [`user: ${name} (user ${userId}, group ${groupId}), by ${changer.path}`],
  };
}

function changeWords(
  { path, kind }: NonNullable<IdentityHost["changer"]>,
  userId: number,
  groupId: number,
  name: string | undefined,
): string[] {
  // The other two take the user's groups by name, and leave out a number's.
  if (kind !== "setpriv") return [path, `${name ?? userId}:${groupId}`];
  const others = name === undefined ? "--clear-groups" : "--init-groups";
  return [path, `--reuid=${userId}`, `--regid=${groupId}`, others];
}

function numberOf(value: string | number | undefined): number | undefined {
  if (typeof value === "number") return value;
  return value !== undefined && /^\d{1,10}$/.test(value) ? Number(value) : undefined;
}

function capabilitiesNow(): bigint {
  try {
    const [, digits] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
    if (digits !== undefined) return BigInt(`0x${digits}`);
  } catch {
    // not Linux
  }
  return process.geteuid?.() === 0 ? ~0n : 0n;
}

async function findChanger(): Promise<IdentityHost["changer"]> {
  const setpriv = findTool("setpriv");
  if (setpriv !== undefined && (await canChange(setpriv))) return { path: setpriv, kind: "setpriv" };
  for (const kind of ["su-exec", "gosu"] as const) {
    const path = findTool(kind);
    if (path !== undefined) return { path, kind };
  }
  return undefined;
}

/** That of busybox knows neither users nor groups. */
async function canChange(setpriv: string): Promise<boolean> {
  const limits = { timeoutMs: helpTimeoutMs, outputMaxBytes: 65_536 };
  const help = await runCommand([setpriv, "--help"], { cwd: "/", env: { LC_ALL: "C" }, ...limits }).catch(
    () => undefined,
  );
  return help?.isOk === true && /--reuid/.test(help.output.toString());
}

function findTool(name: string): string | undefined {
  try {
    return findExecutable(name, toolsPath);
  } catch {
    return undefined;
  }
}
