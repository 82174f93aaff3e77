/**
 * Home: which home a command is about, when nobody says so.
 *
 * `--home`, else `COLOS_HOME`; else for root `/var/lib/colos`, for anybody else `$XDG_STATE_HOME/colos`, which is
 * `~/.local/state/colos` unless set. A relative path is relative to the working directory; a relative XDG_STATE_HOME counts
 * as not set, as its specification wants.
 *
 * Limit: `homeBytesMax`; the OS cuts longer names of sockets off.
 *
 * @module
 */
import { isAbsolute, join, resolve } from "node:path";

/** Bytes: with the longest name of a socket in it (`/recorder.sock`) what sun_path of unix(7) holds on Linux. */
export const homeBytesMax = 93;
/** The home of root. */
export const rootHome = "/var/lib/colos";

export interface HomeHost {
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whoever runs colos; 0 is root. */
  readonly userId: number;
  /** Absolute: the folder of whoever runs colos. */
  readonly userFolder: string;
}

/** The folder of the home, absolute. `named` is what `--home` says. */
export function homeFolder(named: string | undefined, { cwd, env, userId, userFolder }: HomeHost): string {
  const chosen = named ?? env["COLOS_HOME"] ?? "";
  if (chosen !== "") return resolve(cwd, chosen);
  if (userId === 0) return rootHome;
  const state = env["XDG_STATE_HOME"] ?? "";
  return join(isAbsolute(state) ? state : join(userFolder, ".local", "state"), "colos");
}
