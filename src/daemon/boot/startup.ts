/**
 * Startup: what makes a machine start colos when it boots: a systemd unit, an OpenRC script or a line for cron, as text, with the
 * commands that install it, and their doing.
 *
 * The systemd unit is of `Type=forking` and runs `colos up --wait`: it is active when the services are ready, and not before, which no
 * `Type=simple` says; it stays active while anything of it runs. The heart (heart.ts) starts a dead daemon again, so
 * systemd does not (two would fight over the home). When `up` fails it is tried again; it does nothing to what is up already.
 * `KillMode=process`: whatever ends, systemd kills no service for it; `ExecStop` stops them in order. `OOMPolicy=continue`:
 * a service that the kernel kills for its memory does not take the others with it. `Delegate=yes`: a cgroup for each service.
 *
 * Guarantees: nothing is written before every word was checked; writing and removing may be done again.
 * Not here: the command line's words (cli), whether colos is installed where it was when the text was made.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { shellQuote } from "../shell-quote.ts";

export type StartupSystem = "systemd" | "openrc" | "cron";

/** What `down` ends with when no daemon runs (exit-codes.ts of the command line). */
const absentCode = 3;

/** One command as words. */
export type Words = readonly [string, ...string[]];

export interface StartupOptions {
  readonly system: StartupSystem;
  /** `system`: for the machine, by root. `user`: for one user, by that user. */
  readonly scope: "system" | "user";
  /** Of the unit: letters, digits and `-`; one for each home. */
  readonly name: string;
  /** Starts the daemon and the services and returns when they are ready: `colos up --wait`. The executable is an absolute path. */
  readonly up: Words;
  /** Stops all: `colos down`. */
  readonly down: Words;
  /** Absolute. */
  readonly home: string;
  /** Absolute; where `up` finds its config. */
  readonly cwd: string;
  /** What services need of it: PATH, HOME. */
  readonly env: Readonly<Record<string, string>>;
  /** With scope `system`: who runs it; default root. */
  readonly user?: string;
  /**
   * From -1000 (never killed for memory) to 1000; default: what the machine has. Whatever the unit starts inherits it, so
   * only for a daemon whose runs set their own again.
   */
  readonly oomScoreAdjust?: number;
  /** The user's folder of units; default `~/.config/systemd/user` by `env.HOME`. */
  readonly userUnits?: string;
}

export interface StartupPlan {
  readonly system: StartupSystem;
  /** Where the text goes; undefined when a person must put it there (cron). */
  readonly path: string | undefined;
  readonly text: string;
  readonly mode: number;
  readonly install: readonly Words[];
  readonly uninstall: readonly Words[];
  /** What a person should know, one sentence each. */
  readonly notes: readonly string[];
}

/** A startup that makes no sense or was not done. The message is a sentence. */
export class StartupError extends Error {
  override readonly name = "StartupError";
}

/** What starts this machine. */
export function findStartupSystem(root = "/"): StartupSystem {
  if (existsSync(join(root, "run/systemd/system"))) return "systemd";
  return existsSync(join(root, "sbin/openrc-run")) ? "openrc" : "cron";
}

/** @throws StartupError */
export function startupPlan(options: StartupOptions): StartupPlan {
  check(options);
  switch (options.system) {
    case "systemd":
      return systemdPlan(options);
    case "openrc":
      return openrcPlan(options);
    case "cron":
      return cronPlan(options);
  }
}

/** What `colos startup` prints: the text, where it goes, and the commands to type. */
export function startupText({ path, text, install, notes }: StartupPlan): string {
  const place = path === undefined ? [] : [`# ${path}`];
  const commands = install.length === 0 ? [] : ["", "# then:", ...install.map((words) => `#   ${typed(words)}`)];
  return `${[...place, text.trimEnd(), ...commands, ...notes.map((note) => `# ${note}`)].join("\n")}\n`;
}

/** Runs a command and settles with its exit code and what it said. */
export type RunCommand = (words: Words) => Promise<{ readonly code: number; readonly output: string }>;

/** Puts the file in its place and runs the commands. @throws StartupError */
export async function writeStartup(plan: StartupPlan, run: RunCommand): Promise<void> {
  const { path, text, mode } = plan;
  if (path === undefined)
    throw new StartupError(`cron's table is yours: put this line into it with crontab -e: ${text.trim()}`);
  await attempt(`write ${path}`, async () => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.new`, text, { mode });
    await rename(`${path}.new`, path);
  });
  await runAll(plan.install, run);
}

/** Takes away what `writeStartup` did; nothing happens when it is not there. What runs goes on. @throws StartupError */
export async function removeStartup(plan: StartupPlan, run: RunCommand): Promise<void> {
  const { path, uninstall } = plan;
  if (path === undefined) throw new StartupError("cron's table is yours: take the line out of it with crontab -e");
  if (!existsSync(path)) return;
  const [before, ...after] = uninstall;
  if (before !== undefined) await runAll([before], run);
  await attempt(`remove ${path}`, () => rm(path, { force: true }));
  await runAll(after, run);
}

async function attempt(what: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const advice =
      code === "EACCES" || code === "EPERM" ? ": you may not; use sudo, or --user for a unit of your own" : "";
    throw new StartupError(`cannot ${what}${advice === "" ? `: ${message}` : advice}`, { cause: error });
  }
}

async function runAll(commands: readonly Words[], run: RunCommand): Promise<void> {
  for (const words of commands) {
    const { code, output } = await run(words);
    if (code !== 0) throw new StartupError(`${typed(words)} failed (${code}): ${output.trim() || "it said nothing"}`);
  }
}

function check(options: StartupOptions): void {
  const { name, up, down, home, cwd, env, user, scope } = options;
  if (!/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/.test(name)) {
    throw new StartupError(`${JSON.stringify(name)} is no name for a unit: use letters, digits and "-", 64 at most`);
  }
  for (const path of [up[0], down[0], home, cwd]) {
    if (!isAbsolute(path))
      throw new StartupError(`${path} is no absolute path, and a machine that boots has no folder to look from`);
  }
  if (user !== undefined && scope === "user") {
    throw new StartupError(
      `a user's own unit runs as that user: leave --run-as ${user} away, or make a unit of the system`,
    );
  }
  if (user !== undefined && !/^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$/.test(user)) {
    throw new StartupError(`${JSON.stringify(user)} is no user's name`);
  }
  for (const word of [...up, ...down, home, cwd, ...Object.values(env)]) {
    if ([...word].some((character) => character < " " || character === "\x7f")) {
      throw new StartupError(`${JSON.stringify(word)} has a line break or control character, which no unit can hold`);
    }
  }
  const { oomScoreAdjust = 0 } = options;
  if (!Number.isInteger(oomScoreAdjust) || Math.abs(oomScoreAdjust) > 1_000) {
    throw new StartupError(`oomScoreAdjust is a whole number from -1000 to 1000, not ${oomScoreAdjust}`);
  }
  for (const key of Object.keys(env)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key))
      throw new StartupError(`${JSON.stringify(key)} is no environment variable's name`);
  }
}

function systemdPlan(options: StartupOptions): StartupPlan {
  const { scope, name, up, down, home, cwd, env, user, oomScoreAdjust } = options;
  const isUser = scope === "user";
  const unit = `${name}.service`;
  const folder = isUser
    ? (options.userUnits ?? join(env["HOME"] ?? "/", ".config/systemd/user"))
    : "/etc/systemd/system";
  const lines = [
    "[Unit]",
    `Description=colos (${unitText(home)})`,
    ...(isUser ? [] : ["Wants=network-online.target", "After=network-online.target"]),
    `RequiresMountsFor=${unitWord(home)} ${unitWord(cwd)}`,
    "",
    "[Service]",
    "# active when the services are ready; the daemon's heart starts a dead daemon again",
    "Type=forking",
    "GuessMainPID=no",
    `ExecStart=${up.map(execWord).join(" ")}`,
    `ExecStop=${down.map(execWord).join(" ")}`,
    // What is stopped while it starts has no ExecStop.
    `ExecStopPost=/bin/sh -c ${execWord('[ "$SERVICE_RESULT" != success ] || exec "$@"')} colos ${down.map(execWord).join(" ")}`,
    // Nothing runs that could be stopped: somebody has typed colos down.
    `SuccessExitStatus=${absentCode}`,
    "Restart=on-failure",
    "RestartSec=10",
    "TimeoutStartSec=infinity",
    "TimeoutStopSec=300",
    "KillMode=process",
    "OOMPolicy=continue",
    "Delegate=yes",
    "TasksMax=infinity",
    ...(oomScoreAdjust === undefined ? [] : [`OOMScoreAdjust=${oomScoreAdjust}`]),
    ...(user === undefined ? [] : [`User=${user}`]),
    // A path alone: systemd takes no quotes here.
    `WorkingDirectory=${unitText(cwd)}`,
    ...Object.entries(env).map(([key, value]) => `Environment=${unitWord(`${key}=${value}`)}`),
    "",
    "[Install]",
    `WantedBy=${isUser ? "default.target" : "multi-user.target"}`,
    "",
  ];
  const systemctl: Words = isUser ? ["systemctl", "--user"] : ["systemctl"];
  return {
    system: "systemd",
    path: join(folder, unit),
    text: lines.join("\n"),
    mode: 0o644,
    install: [
      [...systemctl, "daemon-reload"],
      [...systemctl, "enable", unit],
      ...(isUser ? ([["loginctl", "enable-linger"]] as const) : []),
    ],
    uninstall: [
      [...systemctl, "disable", unit],
      [...systemctl, "daemon-reload"],
    ],
    notes: isUser ? ["lingering lets your units run while you are not logged in"] : [],
  };
}

function openrcPlan({ scope, name, up, down, cwd, env, user }: StartupOptions): StartupPlan {
  if (scope === "user") throw new StartupError("OpenRC has no units of users: use sudo, or cron (--system cron)");
  const exports = Object.entries(env).map(([key, value]) => `export ${key}=${shellQuote(value)}`);
  const start = (words: Words): string => {
    const command = `cd ${shellQuote(cwd)} && ${typed(words)}`;
    return user === undefined ? command : `su -s /bin/sh ${shellQuote(user)} -c ${shellQuote(command)}`;
  };
  const lines = [
    "#!/sbin/openrc-run",
    `description="colos"`,
    ...exports,
    "depend() {",
    "  need localmount",
    "  after net",
    "}",
    "start() {",
    `  ebegin "Starting ${name}"`,
    `  ( ${start(up)} )`,
    "  eend $?",
    "}",
    "stop() {",
    `  ebegin "Stopping ${name}"`,
    `  ( ${start(down)} )`,
    "  eend $?",
    "}",
    "",
  ];
  return {
    system: "openrc",
    path: `/etc/init.d/${name}`,
    text: lines.join("\n"),
    mode: 0o755,
    install: [["rc-update", "add", name, "default"]],
    uninstall: [["rc-update", "del", name, "default"]],
    notes: [],
  };
}

function cronPlan({ up, cwd, env }: StartupOptions): StartupPlan {
  const settings = Object.entries(env).map(([key, value]) => `${key}=${shellQuote(value)}`);
  // In cron's table a percent sign is a line break.
  const command = `cd ${shellQuote(cwd)} && ${[...settings, typed(up)].join(" ")}`.replaceAll("%", String.raw`\%`);
  return {
    system: "cron",
    path: undefined,
    text: `@reboot ${command}\n`,
    mode: 0o600,
    install: [],
    uninstall: [],
    notes: ["put the line into your table with crontab -e; cron stops nothing when the machine is shut down"],
  };
}

function typed(words: Words): string {
  return words.map((word) => (/^[\w./:@=+-]+$/.test(word) ? word : shellQuote(word))).join(" ");
}

/** systemd replaces what stands behind a percent sign. */
function unitText(text: string): string {
  return text.replaceAll("%", "%%");
}

/** systemd.syntax(7): in quotes, with the escapes of C. */
function unitWord(word: string): string {
  return `"${unitText(word)
    .replaceAll("\\", "\\\\")
    .replaceAll('"', String.raw`\"`)}"`;
}

/** Of a command line, where systemd puts variables in. */
function execWord(word: string): string {
  return unitWord(word).replaceAll("$", "$$$$");
}
