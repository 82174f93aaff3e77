/**
 * Inherited: which variables services get from the environment of whoever applies a config: those that say who and where one
 * is. The rest stays out, so that a service does not depend on the shell that happened to start it, nor hold its secrets.
 *
 * @module
 */

/** Exact names; all that begin with `LC_` as well. */
export const inheritedNames: readonly string[] = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "LANG",
  "LANGUAGE",
  "TZ",
  "TMPDIR",
];

/** The variables of `env` that services inherit. */
export function inheritedEnv(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const inherited: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && (inheritedNames.includes(name) || name.startsWith("LC_"))) inherited[name] = value;
  }
  return inherited;
}
