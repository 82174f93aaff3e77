/**
 * Limits of the control socket: what one client, or many, may take of the daemon.
 *
 * @module
 */
import { assertWhole } from "../../base/limit.ts";

/** All limits. Times in milliseconds. */
export interface ControlLimits {
  /** Connections at a time. One more closes the one that has been idle longest; when none is idle it is refused. */
  readonly connectionsMax: number;
  /** Requests that a connection may have sent before their answers; one more gets 503 and the connection closes. */
  readonly pipelinedMax: number;
  /** Request line and headers; beyond it 431. */
  readonly headBytesMax: number;
  /** A body, when its endpoint says nothing else; beyond it 413. */
  readonly bodyBytesMax: number;
  /** What bodies that are being read have beyond `bodyFreeBytes`, together; beyond it 503. */
  readonly bodiesBytesMax: number;
  /** Bytes of each body that do not count in that, so that large requests never keep small ones out. */
  readonly bodyFreeBytes: number;
  /** Levels of lists and objects in a body; beyond it 400. */
  readonly bodyDepthMax: number;
  /** Values in a body, a thousand services with all their settings among them; beyond it 413. */
  readonly bodyValuesMax: number;
  /** From the first byte of a request, or the connection, to the end of its headers; then 408. */
  readonly headTimeoutMs: number;
  /** From the first byte of a request to the end of its body; then 408. */
  readonly requestTimeoutMs: number;
  /** A connection without a request; then it is closed. */
  readonly idleTimeoutMs: number;
  /** For the client to take an answer once it is there; then the connection is closed. */
  readonly answerTimeoutMs: number;
  /** For answers under way when the daemon closes; then their connections are closed. */
  readonly closeTimeoutMs: number;
  /** Reading operations under way; beyond it 503. Apart from the others, so that waiting ones never keep `list` out. */
  readonly readsMax: number;
  /** Other operations under way, those included whose client has left; beyond it 503. */
  readonly actsMax: number;
  /** Streams under way; beyond it 503. */
  readonly streamsMax: number;
  /** Bytes of a stream that its client has not taken; beyond it the stream ends with a note. */
  readonly streamBytesMax: number;
  /** Silence on a stream after which an empty line shows whether the client is still there. */
  readonly heartbeatMs: number;
}

/** What holds when nothing else is said. */
export const controlLimitsDefault: ControlLimits = {
  connectionsMax: 256,
  pipelinedMax: 64,
  headBytesMax: 8_192,
  bodyBytesMax: 524_288,
  bodiesBytesMax: 16_777_216,
  bodyFreeBytes: 65_536,
  bodyDepthMax: 32,
  bodyValuesMax: 100_000,
  headTimeoutMs: 5_000,
  requestTimeoutMs: 10_000,
  idleTimeoutMs: 5_000,
  answerTimeoutMs: 10_000,
  closeTimeoutMs: 1_000,
  readsMax: 64,
  actsMax: 64,
  streamsMax: 32,
  streamBytesMax: 262_144,
  heartbeatMs: 15_000,
};

/** The limits with `given` in place of defaults. @throws RangeError when one is no limit */
export function controlLimits(given: Partial<ControlLimits> = {}): ControlLimits {
  const limits = { ...controlLimitsDefault, ...given };
  for (const [name, value] of Object.entries(limits)) assertWhole(name, value, 1, 2_147_483_647);
  return limits;
}
