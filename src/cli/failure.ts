/**
 * Failure: any error that a verb on the manager ends with, as an exit code and a sentence that says what to do.
 *
 * @module
 */
import { ManagerError, type ManagerErrorCode } from "../control/manager.ts";
import { exitCodes } from "./exit-codes.ts";
import { DaemonAbsentError } from "./host.ts";

/** What a person, or with `--json` a program, is told. */
export interface Failure {
  readonly exitCode: number;
  /** One word for programs: a ManagerErrorCode, `absent`, `lost`, `permission` or `failed`. */
  readonly code: string;
  readonly message: string;
  /** What to do. */
  readonly advice?: string;
}

/** What the error means. `home` is the home that was asked. */
export function failureOf(error: unknown, home: string): Failure {
  if (error instanceof DaemonAbsentError) {
    const advice = "colos up starts one";
    return { exitCode: exitCodes.noDaemon, code: "absent", message: `no daemon is running in ${home}`, advice };
  }
  if (error instanceof ManagerError) {
    const { code, message, advice } = error;
    return {
      exitCode: managerExitCodes[code] ?? exitCodes.failed,
      code,
      message,
      ...(advice === undefined ? {} : { advice }),
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  const osCode = osCodeOf(error);
  if (osCode === "EACCES" || osCode === "EPERM") {
    const advice = "ask as its owner, or name another home with --home";
    const text = `the daemon of ${home} may not be asked: ${message}`;
    return { exitCode: exitCodes.refused, code: "permission", message: text, advice };
  }
  if (osCode !== undefined && lostCodes.has(osCode)) {
    const text = `the daemon went away before it answered (${osCode}); whether it was done is not known`;
    return { exitCode: exitCodes.failed, code: "lost", message: text, advice: "colos ps shows how things are" };
  }
  return { exitCode: exitCodes.failed, code: "failed", message: message.split("\n")[0]! || "no reason was given" };
}

const managerExitCodes: Readonly<Record<ManagerErrorCode, number>> = {
  unknown: exitCodes.usage,
  invalid: exitCodes.usage,
  refused: exitCodes.refused,
  timeout: exitCodes.timeout,
  busy: exitCodes.failed,
  internal: exitCodes.failed,
};

/** What a connection that ends in the middle says. */
const lostCodes: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED", "UND_ERR_SOCKET"]);

function osCodeOf(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  if (typeof code === "string") return code;
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? undefined : osCodeOf(cause);
}
