/**
 * Failure: any error that a verb on the manager ends with, as an exit code and a sentence that says what to do.
 *
 * @module
 */
import { DaemonAbsentError } from "../control/manager-client.ts";
import { ManagerError, type ManagerErrorCode } from "../control/manager.ts";
import { exitCodes } from "./exit-codes.ts";

/** What a person, or with `--json` a program, is told. */
export interface Failure {
  readonly exitCode: number;
  /** One word for programs: a ManagerErrorCode, `absent`, `interrupted`, `permission` or `failed`. */
  readonly code: string;
  readonly message: string;
  /** What to do. */
  readonly advice?: string;
  /** What more there is to say, line by line: other problems, or what somebody else said of it. */
  readonly lines?: readonly string[];
}

/** What the error means. `home` is the home that was asked; `runningCount` is how many instances run there. */
export function failureOf(error: unknown, home: string, runningCount = 0): Failure {
  if (error instanceof DaemonAbsentError) return absence(home, runningCount);
  if (error instanceof ManagerError) {
    const { code, message, advice } = error;
    return {
      exitCode: managerExitCodes[code] ?? exitCodes.failed,
      code,
      ...sentenceAndLines(message),
      ...(advice === undefined ? {} : { advice }),
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  const isForbidden = forbiddenCodes.has(osCodeOf(error));
  const [exitCode, code] = isForbidden ? [exitCodes.refused, "permission"] : [exitCodes.failed, "failed"];
  return { exitCode, code, ...sentenceAndLines(message) };
}

function sentenceAndLines(text: string): Pick<Failure, "message" | "lines"> {
  const [first, ...lines] = text.split("\n");
  return { message: first! || "no reason was given", ...(lines.length === 0 ? {} : { lines }) };
}

function absence(home: string, runningCount: number): Failure {
  const absent = { exitCode: exitCodes.noDaemon, code: "absent" };
  const message = `no daemon is running in ${home}`;
  if (runningCount === 0) return { ...absent, message, advice: "Start one with: colos up" };
  const running = runningCount === 1 ? "1 service runs on" : `${runningCount} services run on`;
  return {
    ...absent,
    message: `${message}, but ${running}`,
    advice: "colos up takes over what runs, colos down stops it",
  };
}

const managerExitCodes: Readonly<Record<ManagerErrorCode, number>> = {
  unknown: exitCodes.usage,
  invalid: exitCodes.usage,
  refused: exitCodes.refused,
  timeout: exitCodes.timeout,
  busy: exitCodes.failed,
  ending: exitCodes.failed,
  internal: exitCodes.failed,
};

/** The OS does not permit it. */
const forbiddenCodes: ReadonlySet<string | undefined> = new Set(["EACCES", "EPERM", "EROFS"]);

function osCodeOf(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  if (typeof code === "string") return code;
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? undefined : osCodeOf(cause);
}
