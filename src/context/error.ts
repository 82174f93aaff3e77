/**
 * Context error: why a call on a context was not carried out. What the endpoint itself throws is not one of these.
 *
 * @module
 */

/** The kinds, which stay the same; the message is for people. */
export type ContextErrorCode =
  /** The context has no such endpoint. */
  | "unknownEndpoint"
  /** The input is not what the endpoint takes. */
  | "invalidInput"
  /** The owner gave what the endpoint does not give: its defect, not the caller's. */
  | "invalidOutput"
  /** The owner has ended, or its carrier was lost. */
  | "ownerGone"
  /** The context was taken back, or has never been one. */
  | "revoked"
  /** No answer in time; the owner may still carry it out. */
  | "timeout"
  /** A limit of the owner is reached. */
  | "busy"
  /** The process that asks may not do this. */
  | "refused";

/** A call on a context that was not carried out. The message is a sentence. */
export class ContextError extends Error {
  override readonly name = "ContextError";
  readonly code: ContextErrorCode;

  constructor(code: ContextErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
