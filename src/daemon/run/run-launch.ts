/**
 * Run launch: from a spec to what a shim is told, and from what stands in the way to a RunStartError.
 *
 * Guarantees: what cannot be executed is refused before anything happens. The environment goes through the environment
 * alone: it is in no file and on no command line.
 * Not here: who starts the shim (launcher.ts, listen-holder.ts), what it does (shim-script.ts), whether it has begun (run-follower.ts).
 *
 * @module
 */
import { assertFolder, explainStart, findExecutable } from "../../os/executable.ts";
import { PortInUseError } from "../../os/port-holder.ts";
import { standbyVariable } from "../../platforms/node/standby.ts";
import type { Home } from "../home.ts";
import { isOwnTrouble, shortageSaid } from "../own-trouble.ts";
import { FifoError } from "./fifo.ts";
import { pipeFile, runFile } from "./run-files.ts";
import { RunStartError, type RunSpec } from "./run.ts";
import { homeVariable, runVariable, shimStatus } from "./shim-script.ts";

/** Where the tools of the shim are, beside the daemon's own PATH. */
const toolsPath = "/usr/bin:/bin:/usr/sbin:/sbin";
/** File descriptors 3 to 9 can be redirected by every shell. */
export const shellFdMax = 9;
/** Where execvp(3) searches when there is no PATH. */
const pathDefault = "/bin:/usr/bin";

/** What limits and users need done in the service's own OS process before it executes. */
export interface Preparation {
  /** Shell commands; one that fails may `exit`. Their variables begin with `colos_`. */
  readonly preamble?: string;
  /** A command that replaces itself by what follows it, such as `setpriv --reuid=www`. */
  readonly prefix?: readonly string[];
  /** The absolute path of a cgroup that the preamble enters. */
  readonly cgroup?: string;
  /** Added to the environment, over all else. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Variables that a shell passes on. */
const passableName = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Variables that shells keep for themselves, so that setting them to anything may end the shell. */
const shellsOwn = ["OPTIND", "PPID", "BASHOPTS", "SHELLOPTS", "BASH_VERSINFO"];
/** What was meant for whoever the variables were taken from: sd_listen_fds(3), sd_notify(3), a standby. */
const othersOwn = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", standbyVariable];
const notPassable: ReadonlySet<string> = new Set([...shellsOwn, ...othersOwn]);

/** What a shim is told. */
export interface ShimCall {
  /** What `colos_run` of the script takes. */
  readonly words: readonly string[];
  /** What the service gets. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** @throws RunStartError when the spec cannot be executed */
export function shimCall(home: Home, spec: RunSpec, preparation: Preparation, ownPath: string): ShimCall {
  assertListen(spec);
  assertReadiness(spec);
  const [name, ...args] = spec.argv;
  const file = executableOf(spec);
  const { preamble = "", prefix = [] } = preparation;
  const files = runFile(home, spec.id, "spec").slice(0, -".spec".length);
  const pipes = pipeFile(home, spec.id, "out").slice(0, -".out".length);
  const ready = spec.readiness?.kind === "fd" ? String(spec.readiness.fd) : "-";
  const notify = spec.readiness?.kind === "notify" ? "notify" : "-";
  const sockets = String(spec.listen.length);
  const own = [files, pipes, spec.stdin, ready, notify, sockets, standbyFd(spec), preamble];
  assertNoNul(name, [...args, ...Object.entries(spec.env).flat()]);
  const setsid = setsidOn(shimPath(ownPath), spec);
  const env = { ...serviceEnvironment(home, spec), ...preparation.env };
  const words = [...own, setsid, ...prefix, ...oddEnvironment(shimPath(ownPath), file, spec), file, ...args];
  return { words, env, cwd: spec.cwd };
}

/** Variables such as `discovery.type`, which no shell passes on: env(1) adds them. Its command line shows them until it executes. */
function oddEnvironment(path: string, file: string, { env }: RunSpec): readonly string[] {
  const odd = Object.entries(env).filter(([name]) => !passableName.test(name));
  if (odd.length === 0) return [];
  if (file.includes("=")) {
    const sentence = `${file} cannot be given the variable ${odd[0]![0]}: that takes env(1), which a path with = in it confuses`;
    throw new RunStartError(sentence, "EINVAL", false);
  }
  return [findExecutable("env", path), "--", ...odd.map(([name, value]) => `${name}=${value}`)];
}

/** Of the disk on which the home is: not the service's either. */
const diskTroubles: ReadonlySet<string> = new Set(["EROFS", "EIO"]);

/** What the OS refused, as a sentence. */
export function startError(refused: unknown, { argv, cwd }: RunSpec): RunStartError {
  if (refused instanceof RunStartError) return refused;
  const [file, ...args] = argv;
  if (refused instanceof PortInUseError) {
    return new RunStartError(refused.message, "EADDRINUSE", false, { cause: refused });
  }
  if (refused instanceof FifoError) {
    const sentence = `${file} could not be started: the holder of its port does not take commands`;
    return new RunStartError(sentence, "EAGAIN", true, { cause: refused });
  }
  const explained = explainStart(refused, { file, args }, cwd);
  const { code, message } = explained;
  return new RunStartError(message, code, isOwnTrouble(code) || diskTroubles.has(code), { cause: refused });
}

/** What a shim that ended before its service began said, as a sentence. */
export function shimError({ argv }: RunSpec, status: number | null, problem: string): RunStartError {
  const code = shortageSaid(problem) ?? (status === shimStatus.notify ? "ETIMEDOUT" : "EIO");
  const said = problem === "" ? `its shim ended with ${status ?? "an OS signal"}` : problem;
  return new RunStartError(`${argv[0]} could not be started: ${said}`, code, true);
}

function executableOf(spec: RunSpec): string {
  const [file] = spec.argv;
  try {
    assertFolder(spec.cwd);
    return findExecutable(file, spec.env["PATH"] ?? pathDefault, spec.cwd);
  } catch (refused) {
    throw startError(refused, spec);
  }
}

/** Where a shim finds its tools. */
export function shimPath(ownPath: string): string {
  return ownPath === "" ? toolsPath : `${ownPath}:${toolsPath}`;
}

let knownSetsid: { readonly path: string; readonly file: string } | undefined;

/** Absolute: when it is executed, PATH is the service's own. */
function setsidOn(path: string, { argv }: RunSpec): string {
  try {
    if (knownSetsid?.path !== path) knownSetsid = { path, file: findExecutable("setsid", path) };
    return knownSetsid.file;
  } catch (cause) {
    const sentence = `${argv[0]} could not be started: colos needs setsid, which is not on PATH; install util-linux`;
    throw new RunStartError(sentence, "ENOENT", true, { cause });
  }
}

function assertListen({ argv, listen }: RunSpec): void {
  if (listen.length <= 1) return;
  throw new RunStartError(
    `${argv[0]} cannot have ${listen.length} listening sockets: one is the most`,
    "EINVAL",
    false,
  );
}

function assertReadiness({ argv, readiness, listen }: RunSpec): void {
  if (readiness?.kind !== "fd") return;
  const least = 3 + listen.length;
  if (readiness.fd >= least && readiness.fd <= shellFdMax) return;
  const sentence = `${argv[0]} cannot say that it is ready on file descriptor ${readiness.fd}: use ${least} to ${shellFdMax}`;
  throw new RunStartError(sentence, "EINVAL", false);
}

/** Where a standby hears that its turn has come: as far away from its socket as the readiness that it may have declared leaves room. */
function standbyFd({ isStandby, readiness }: RunSpec): string {
  if (isStandby !== true) return "-";
  return String(readiness?.kind === "fd" && readiness.fd === shellFdMax ? shellFdMax - 1 : shellFdMax);
}

function assertNoNul(file: string, texts: readonly string[]): void {
  if (!texts.some((text) => text.includes("\0"))) return;
  throw new RunStartError(`an argument or environment variable of ${file} contains a NUL character`, "EINVAL", false);
}

function serviceEnvironment(home: Home, spec: RunSpec): Record<string, string> {
  const passable = Object.entries(spec.env).filter(([name]) => passableName.test(name) && !notPassable.has(name));
  return {
    ...Object.fromEntries(passable),
    [runVariable]: spec.id,
    [homeVariable]: home.root,
    ...(spec.readiness?.kind === "notify" ? { NOTIFY_SOCKET: pipeFile(home, spec.id, "notify") } : {}),
  };
}
