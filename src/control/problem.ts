/**
 * Problem: why a request was not carried out, as JSON (RFC 9457, `application/problem+json`), both ways.
 *
 * @module
 */
import { ManagerError, type ManagerErrorCode } from "./manager.ts";

/** The media type of a problem. */
export const problemMediaType = "application/problem+json";

/** A problem as it crosses. */
export interface Problem {
  /** A URI that names the kind; stable. */
  readonly type: string;
  /** The kind in words. */
  readonly title: string;
  readonly status: number;
  /** What was wrong, in one sentence. */
  readonly detail: string;
  readonly code: ManagerErrorCode;
  /** What to do. */
  readonly advice?: string;
}

const kinds: Readonly<Record<ManagerErrorCode, { readonly status: number; readonly title: string }>> = {
  unknown: { status: 404, title: "There is no such thing" },
  invalid: { status: 400, title: "The request makes no sense" },
  refused: { status: 409, title: "It cannot be done now" },
  timeout: { status: 504, title: "It took too long" },
  busy: { status: 503, title: "The daemon has too much to do" },
  ending: { status: 503, title: "The daemon ends" },
  internal: { status: 500, title: "The daemon failed" },
};

/** A problem; `status` is that of the code unless HTTP has a closer one. */
export function problem(
  code: ManagerErrorCode,
  detail: string,
  more: { status?: number; advice?: string } = {},
): Problem {
  const { title } = kinds[code];
  const { status = kinds[code].status, advice } = more;
  const type = `urn:colos:problem:${code}`;
  return { type, title, status, detail, code, ...(advice === undefined ? {} : { advice }) };
}

/** The problem that an operation rejected with; anything but a `ManagerError` is the daemon's own fault. */
export function problemOfError(error: unknown): Problem {
  if (!(error instanceof ManagerError)) {
    const what = error instanceof Error ? error.message : String(error);
    return problem("internal", `the daemon failed at this: ${what}`, {
      advice: "Look into the daemon's log; this is a defect of colos.",
    });
  }
  return problem(error.code, error.message, error.advice === undefined ? {} : { advice: error.advice });
}

/** The error that a client throws for a problem it was sent; undefined when `value` is none. */
export function errorOfProblem(value: unknown): ManagerError | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { code, detail, advice } = value as Partial<Problem>;
  if (typeof code !== "string" || !Object.hasOwn(kinds, code) || typeof detail !== "string") return undefined;
  return new ManagerError(code, detail, typeof advice === "string" ? advice : undefined);
}
