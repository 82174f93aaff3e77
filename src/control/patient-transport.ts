/**
 * Patient transport: a transport to a daemon that may be on its way back.
 *
 * Guarantees: only a request that reached nobody is sent again, or one that only looks, so nothing is done twice. It waits while somebody is
 * there who brings the daemon back (its heart), and at most `daemonBackMs`; then the answer is what it was: nobody is there. A look
 * whose connection was lost, as that of a daemon without file descriptors is, is tried again for `lookAgainMs`. Both count from the first
 * failure: a daemon that is frozen may have kept the question waiting until it was killed for it.
 *
 * @module
 */
import type { Clock } from "../base/platform.ts";
import { absentCodes, type HttpTransport } from "./manager-client.ts";
import { readingPaths } from "./manager-routes.ts";

/** How long a daemon that was killed is waited for, in milliseconds: its heart looks each 2 s, and it has to start. */
export const daemonBackMs = 10_000;
/** How long a question whose connection was lost is asked again, in milliseconds. */
export const lookAgainMs = 2_000;
/** Milliseconds between two tries. */
export const daemonBackLookMs = 50;

export interface PatienceOptions {
  readonly clock: Clock;
  /** Whether somebody brings the daemon back. */
  isExpected(): Promise<boolean>;
}

/** The same transport, which waits for a daemon that comes back. */
export function patientTransport(transport: HttpTransport, options: PatienceOptions): HttpTransport {
  return {
    address: transport.address,
    post: (path, body) => patiently(() => transport.post(path, body), options, readingPaths.has(path)),
    stream: (path, body) => patiently(() => transport.stream(path, body), options, false),
  };
}

async function patiently<T>(
  attempt: () => Promise<T>,
  { clock, isExpected }: PatienceOptions,
  isLook: boolean,
): Promise<T> {
  let failedMs: number | undefined;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      const isAbsent = absentCodes.has(code);
      const isLost = isLook && !isAbsent && code !== "EACCES" && code !== "EPERM";
      const patienceMs = isAbsent ? daemonBackMs : isLost ? lookAgainMs : 0;
      failedMs ??= clock.monotonicMs();
      if (clock.monotonicMs() - failedMs >= patienceMs || (isAbsent && !(await isExpected()))) throw error;
    }
    await new Promise<void>((resolve) => void clock.timer(daemonBackLookMs, resolve));
  }
}
