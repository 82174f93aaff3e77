/**
 * Environment: the variables that one run of a service gets, put together anew at each start.
 *
 * In this order, later ones win: what `colos up` captured (`captureBaseEnv`), the account when it runs as another user,
 * COLOS_SERVICE and COLOS_INSTANCE, env files, secrets, `env`. An env file may refer to what comes before it.
 *
 * Guarantees: what fails is one sentence that names service, variable and source, and never a value, nor what a secret's command
 * wrote. Nothing is cached and nothing is written: a changed secret counts at the next start.
 * Limits: `envFileMaxBytes`, `secretMaxBytes`, `secretTimeoutMs`. Values are UTF-8 text without NUL, as execve(2) wants it.
 * Not here: COLOS_RUN, LISTEN_FDS, NOTIFY_SOCKET, which belong to a run (run/).
 *
 * @module
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { SecretConfig, ServicePlan } from "../control/config.ts";
import { parseEnvFile } from "../control/env-file.ts";
import { findUser } from "../os/account.ts";
import { runCommand } from "./bounded-command.ts";
import { isOwnTrouble, shortageSaid } from "./own-trouble.ts";

/** Bytes of one env file. */
export const envFileMaxBytes = 1_048_576;
/** Bytes of one secret; execve(2) takes 131072 for one variable with its name. */
export const secretMaxBytes = 65_536;
/** How long the command of one secret may take, in milliseconds. */
export const secretTimeoutMs = 10_000;

/** A start that cannot be, because a variable has no value. The message is a sentence for a person. */
export class EnvironmentError extends Error {
  override readonly name = "EnvironmentError";
  /** colos itself is short of something; trying again later may help. */
  readonly isOwnTrouble: boolean;

  /** `code` is the OS's. */
  constructor(message: string, code?: string) {
    super(message);
    this.isOwnTrouble = isOwnTrouble(code);
  }
}

export interface EnvironmentOptions {
  /** Where secrets of the kind `env` are; default: this OS process's environment. */
  readonly ownEnv?: Readonly<Record<string, string | undefined>>;
  /** Told of what is allowed and unwise, one sentence each. */
  warn?(sentence: string): void;
  /** Kills the commands of secrets. */
  readonly signal?: AbortSignal;
}

/** Variables that `colos up` takes from whoever types it; a name with `*` stands for all that begin so. */
export const baseNames: readonly string[] = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "LANG",
  "LANGUAGE",
  "LC_*",
  "TZ",
  "TMPDIR",
  "XDG_*",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
];
/** PATH where nobody set one. */
export const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The part of an environment that every service gets. No more: a shell's environment holds secrets, and this is kept. */
export function captureBaseEnv(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const isBase = (name: string): boolean =>
    baseNames.some((base) => (base.endsWith("*") ? name.startsWith(base.slice(0, -1)) : name === base));
  const taken = Object.entries(env).filter(
    (entry): entry is [string, string] => isBase(entry[0]) && entry[1] !== undefined,
  );
  return { PATH: defaultPath, ...Object.fromEntries(taken) };
}

type ServiceEnvironment = Pick<ServicePlan, "name" | "env" | "envFiles" | "secrets" | "cwd" | "user">;

/** The whole environment of one start of an instance (1-based). @throws EnvironmentError */
export async function environmentOf(
  plan: ServiceEnvironment,
  instance: number,
  base: Readonly<Record<string, string>>,
  options: EnvironmentOptions = {},
): Promise<Record<string, string>> {
  const found = new Map(Object.entries(base));
  const add = (values: Readonly<Record<string, string>>): void => {
    for (const [name, value] of Object.entries(values)) found.set(name, value);
  };
  add(await accountOf(plan));
  add({ COLOS_SERVICE: plan.name, COLOS_INSTANCE: String(instance) });
  for (const file of plan.envFiles) add(await readEnvFile(plan, file, Object.fromEntries(found)));
  add(await readSecrets(plan, base, options));
  for (const [name, value] of Object.entries(plan.env)) {
    if (value === null) found.delete(name);
    else found.set(name, value);
  }
  for (const [name, value] of found)
    if (value.includes("\0"))
      throw new EnvironmentError(`service ${plan.name}: the variable ${name} has a NUL character`);
  return Object.fromEntries(found);
}

/** Programs look there for their files; the ones of who typed `colos up` are not this user's. */
async function accountOf({ user }: ServiceEnvironment): Promise<Record<string, string>> {
  const account = user === undefined ? undefined : await findUser(user);
  if (account === undefined) return {};
  return { HOME: account.home, USER: account.name, LOGNAME: account.name, SHELL: account.shell };
}

/** `env` is what the file's own references find. */
async function readEnvFile(
  { name }: ServiceEnvironment,
  path: string,
  env: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> {
  const about = `service ${name}: the env file ${path}`;
  const { text } = await readText(path, envFileMaxBytes, about);
  const parsed = parseEnvFile(text, { source: path, env });
  if ("variables" in parsed) return parsed.variables;
  const { line, sentence } = parsed.problems[0]!;
  throw new EnvironmentError(`${about} cannot be used: line ${line}: ${sentence}`);
}

/** All at the same time: each may take as long as its limit. */
async function readSecrets(
  plan: ServiceEnvironment,
  base: Readonly<Record<string, string>>,
  options: EnvironmentOptions,
): Promise<Record<string, string>> {
  const read = async ([variable, secret]: [string, SecretConfig]): Promise<[string, string]> => {
    const about = `service ${plan.name}: the secret ${variable}`;
    const value = await readSecret(secret, about, plan, base, options);
    if (value === "") throw new EnvironmentError(`${about} is empty in ${sourceText(secret)}`);
    return [variable, value];
  };
  const outcomes = await Promise.allSettled(Object.entries(plan.secrets).map(read));
  return Object.fromEntries(
    outcomes.map((outcome) => {
      if (outcome.status === "rejected") throw outcome.reason;
      return outcome.value;
    }),
  );
}

function sourceText(secret: SecretConfig): string {
  if ("file" in secret) return secret.file;
  return "env" in secret ? `the daemon's variable ${secret.env}` : `the output of ${secret.exec[0]}`;
}

async function readSecret(
  secret: SecretConfig,
  about: string,
  plan: ServiceEnvironment,
  base: Readonly<Record<string, string>>,
  options: EnvironmentOptions,
): Promise<string> {
  if ("file" in secret) return readSecretFile(secret.file, about, options);
  if ("exec" in secret) return readSecretCommand(secret.exec, about, plan, base, options.signal);
  const value = (options.ownEnv ?? process.env)[secret.env];
  if (value !== undefined) return value;
  throw new EnvironmentError(
    `${about} is not there: the daemon has no variable ${secret.env}; set it and start the daemon anew`,
  );
}

async function readSecretFile(path: string, about: string, { warn }: EnvironmentOptions): Promise<string> {
  const { text, mode } = await readText(path, secretMaxBytes, `${about} in ${path}`);
  if ((mode & 0o004) !== 0) warn?.(`${about} can be read by every user in ${path}; chmod o-rwx ${path}`);
  return withoutLineEnd(text);
}

/** What it wrote on stderr is not repeated: it may hold the value. */
async function readSecretCommand(
  command: readonly [string, ...string[]],
  about: string,
  { cwd }: ServiceEnvironment,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<string> {
  const fail = (why: string, code?: string): EnvironmentError =>
    new EnvironmentError(
      `${about} is not there: the command ${command[0]} failed: ${why}; run it by hand to see more`,
      code,
    );
  const limits = { timeoutMs: secretTimeoutMs, outputMaxBytes: secretMaxBytes };
  const end = await runCommand(command, { cwd, env, ...limits, ...(signal === undefined ? {} : { signal }) }).catch(
    (error: NodeJS.ErrnoException) => {
      throw fail(`it cannot be started in ${cwd}: ${error.code}`, error.code);
    },
  );
  // One that could not fork says so; that is looked at and not repeated.
  if (!end.isOk) throw fail(end.how, shortageSaid(end.lastWords));
  return withoutLineEnd(decode(end.output, fail));
}

function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, "");
}

const openProblems: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "the daemon has no permission",
};

/** A regular file of at most `bytesMax`, as text. */
async function readText(path: string, bytesMax: number, about: string): Promise<{ text: string; mode: number }> {
  const fail = (why: string, code?: string): EnvironmentError =>
    new EnvironmentError(`${about} cannot be read: ${why}`, code);
  // A FIFO without a writer would be waited for.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    throw fail(openProblems[error.code ?? ""] ?? String(error.code), error.code);
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw fail("it is not a file");
    const buffer = Buffer.alloc(bytesMax + 1);
    let length = 0;
    for (let bytesRead = -1; bytesRead !== 0 && length < buffer.length; length += bytesRead)
      ({ bytesRead } = await file.read(buffer, length, buffer.length - length));
    if (length > bytesMax) throw fail(`it has more than ${bytesMax} bytes`);
    return { text: decode(buffer.subarray(0, length), fail), mode: stat.mode };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw error instanceof EnvironmentError ? error : fail(String(code), code);
  } finally {
    await file.close();
  }
}

function decode(bytes: Buffer, fail: (why: string) => EnvironmentError): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw fail("it is no UTF-8 text");
  }
}
