/**
 * Port holder: who listens on a TCP port of this machine, so that "port in use" can name a name.
 *
 * Guarantees: `assertPortFree` really tries to listen, so its answer is the kernel's. Looking for the holder
 * never throws and lets the event loop run between two OS processes.
 * Limits: Linux only; elsewhere the holder is unknown. Also unknown: a holder in another network or pid
 * namespace, and another user's unless we are root. Free now does not mean free later. A client that connects
 * in the moment of the try is accepted and closed.
 * Not here: ports that are handed to services (daemon).
 *
 * @module
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";

/** The longest command that is shown, in characters. */
export const commandMaxChars = 120;

/** An OS process that listens on a port. */
export interface PortHolder {
  readonly pid: number;
  /** The command line, arguments separated by spaces, cut to `commandMaxChars`. */
  readonly command: string;
}

/** A port cannot be listened on. The message says why and, when it is known, who has it. */
export class PortInUseError extends Error {
  override readonly name = "PortInUseError";
  readonly port: number;
  readonly holder?: PortHolder;
  /** What the OS said when it was neither that somebody has it nor that it may not be used, such as EMFILE. */
  readonly code?: string;

  constructor(message: string, port: number, known: { readonly holder?: PortHolder; readonly code?: string } = {}) {
    super(message);
    this.port = port;
    if (known.holder !== undefined) this.holder = known.holder;
    if (known.code !== undefined) this.code = known.code;
  }
}

/** Who listens on `port` on any address, the oldest when several share it; undefined when nobody can be seen. */
export async function portHolder(port: number): Promise<PortHolder | undefined> {
  const sockets = new Set([...(await listeners("/proc/net/tcp", port)), ...(await listeners("/proc/net/tcp6", port))]);
  if (sockets.size === 0) return undefined;
  for (const pid of pids()) {
    if (holdsAny(pid, sockets)) return { pid, command: commandOf(pid) };
    await new Promise((resolve) => setImmediate(resolve));
  }
  return undefined;
}

/** What an OS process may be short of; it says nothing of the port. */
const shortages: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]);

/**
 * Rejects with PortInUseError when nothing can listen on `port` of `host` (an address or a name) now; with the OS's code when this OS process
 * is too short of something to try.
 */
export async function assertPortFree(port: number, host: string): Promise<void> {
  const code = await tryListen(port, host);
  if (code === undefined) return;
  const place = `port ${port} on ${host}`;
  if (shortages.has(code)) throw Object.assign(new Error(`${place} cannot be tried: ${code}`), { code });
  if (code === "EACCES")
    throw new PortInUseError(`${place} may not be used without a privilege that this user lacks`, port);
  if (code !== "EADDRINUSE") throw new PortInUseError(`${place} cannot be used: ${code}`, port, { code });
  const holder = await portHolder(port);
  const who =
    holder === undefined ? "an OS process that this user cannot see" : `${holder.command} (pid ${holder.pid})`;
  throw new PortInUseError(`${place} is already in use by ${who}`, port, holder === undefined ? {} : { holder });
}

/** The code of the error that listening gives; undefined when it works. */
function tryListen(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

const listenState = "0A"; // TCP_LISTEN

/** Names (as /proc/<pid>/fd shows them) of the sockets in a /proc/net table that listen on `port`. */
async function listeners(table: string, port: number): Promise<string[]> {
  const text = await readFile(table, "latin1").catch(() => "");
  const rows = text
    .split("\n")
    .slice(1)
    .map((row) => row.trim().split(/\s+/));
  const listening = rows.filter(
    ([, local, , state]) => state === listenState && Number.parseInt(local!.split(":")[1]!, 16) === port,
  );
  return listening.map((row) => `socket:[${row[9]}]`);
}

/** Ascending, so that of several holders the one that opened the port comes before those that inherited it. */
function pids(): number[] {
  const found = listed("/proc").map(Number).filter(Number.isInteger);
  return found.toSorted((left, right) => left - right);
}

function holdsAny(pid: number, sockets: ReadonlySet<string>): boolean {
  return listed(`/proc/${pid}/fd`).some((fd) => {
    try {
      return sockets.has(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return false; // closed in between
    }
  });
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // ended in between, or another user's
  }
}

function commandOf(pid: number): string {
  try {
    const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    const command = line === "" ? readFileSync(`/proc/${pid}/comm`, "utf8").trim() : line;
    return command.length <= commandMaxChars ? command : `${command.slice(0, commandMaxChars - 1)}…`;
  } catch {
    return "an OS process that has just ended";
  }
}
