/**
 * Log: what services write, as faces ask for it and get it.
 *
 * @module
 */

/** One line, as `colos logs` shows it. */
export interface LogEntry {
  readonly service: string;
  /** 1-based. */
  readonly instance: number;
  readonly stream: "stdout" | "stderr";
  /** Epoch milliseconds. */
  readonly at: number;
  readonly text: string;
}

/** Whose lines: all of a service without an instance, all of all services without both. Those that come later count too. */
export type LogSelection =
  | { readonly service?: string; readonly instance?: number }
  /** All whose names match, as in selector.ts: `web*`, `*.2`. */
  | { readonly pattern: string }
  /** All that are no part of the system any more. */
  | { readonly gone: true };

export interface LogQuery {
  /** Only the last so many lines of each instance, counted after filtering. Default: all. */
  readonly linesMax?: number;
  readonly sinceAt?: number;
  readonly untilAt?: number;
  readonly stream?: "stdout" | "stderr";
  /** Text, or `/expression/flags`. */
  readonly grep?: string;
  /** Lines of this level or worse; the level is what the line says of itself (JSON `level`, or a word such as WARN). */
  readonly level?: "trace" | "debug" | "info" | "warn" | "error" | "fatal";
  /** Goes on with what is written from now on, across restarts and rotations. */
  readonly follow?: boolean;
}
