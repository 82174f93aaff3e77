/**
 * Account: the users and groups that the OS knows, by name or number.
 *
 * Guarantees: reads /etc/passwd and /etc/group anew at each question, so a user that was just made is found; whom they do not
 * name is asked of getent(1), which knows directories such as LDAP. Never throws.
 * Limits: without getent only the files count. `lookUpTimeoutMs` for a directory that does not answer: then it counts as absent.
 * Not here: changing to a user (daemon/limits).
 *
 * @module
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";

/** How long getent may take, in milliseconds. */
export const lookUpTimeoutMs = 5_000;

/** A line of passwd(5). */
export interface User {
  readonly name: string;
  readonly id: number;
  /** Its main group. */
  readonly groupId: number;
  readonly home: string;
  readonly shell: string;
}

/** A line of group(5). */
export interface Group {
  readonly name: string;
  readonly id: number;
}

/** Where the files are and which command is asked; for tests. */
export interface AccountSources {
  readonly folder?: string;
  readonly getent?: string;
}

/** The user of this name or number; a text of digits is a number too when nobody has it as a name. */
export async function findUser(who: string | number, sources?: AccountSources): Promise<User | undefined> {
  const fields = await findLine("passwd", who, sources);
  if (fields === undefined) return undefined;
  const [name = "", , id, groupId, , home = "/", shell = "/bin/sh"] = fields;
  return { name, id: Number(id), groupId: Number(groupId), home, shell };
}

/** The group of this name or number. */
export async function findGroup(which: string | number, sources?: AccountSources): Promise<Group | undefined> {
  const fields = await findLine("group", which, sources);
  return fields === undefined ? undefined : { name: fields[0]!, id: Number(fields[2]) };
}

type Table = "passwd" | "group";

async function findLine(
  table: Table,
  key: string | number,
  { folder = "/etc", getent = "getent" }: AccountSources = {},
): Promise<string[] | undefined> {
  const text = await readFile(`${folder}/${table}`, "utf8").catch(() => "");
  return matching(text, key) ?? matching(await askGetent(getent, table, String(key)), key);
}

/** The name counts first, as in chown(1). */
function matching(text: string, key: string | number): string[] | undefined {
  const lines = text.split("\n").map((line) => line.split(":"));
  const known = lines.filter((fields) => fields.length >= 3 && /^\d+$/.test(fields[2]!));
  return known.find(([name]) => name === key) ?? known.find(([, , id]) => id === String(key));
}

function askGetent(getent: string, table: Table, key: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(getent, [table, "--", key], { timeout: lookUpTimeoutMs, killSignal: "SIGKILL" }, (error, stdout) =>
      resolve(error === null ? stdout : ""),
    );
  });
}
