/**
 * Thenable: tells a value that comes later from one that is there. What answers at once is handled without a promise.
 *
 * @module
 */

/** Whether `value` can be awaited for something other than itself. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
