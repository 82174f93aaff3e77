/**
 * Patient transport: a transport to a daemon that may be on its way back.
 *
 * Guarantees: only a request that reached nobody is sent again, so nothing is done twice. It waits while somebody is there who
 * brings the daemon back (its heart), and at most `daemonBackMs`; then the answer is what it was: nobody is there.
 *
 * @module
 */
import type { Clock } from "../base/platform.ts";
import { absentCodes, type HttpTransport } from "./manager-client.ts";

/** How long a daemon that was killed is waited for, in milliseconds: its heart looks each 2 s, and it has to start. */
export const daemonBackMs = 10_000;
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
    post: (path, body) => patiently(() => transport.post(path, body), options),
    stream: (path, body) => patiently(() => transport.stream(path, body), options),
  };
}

async function patiently<T>(attempt: () => Promise<T>, { clock, isExpected }: PatienceOptions): Promise<T> {
  const dueMs = clock.monotonicMs() + daemonBackMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const isAbsent = absentCodes.has((error as { readonly code?: unknown }).code);
      if (!isAbsent || clock.monotonicMs() >= dueMs || !(await isExpected())) throw error;
    }
    await new Promise<void>((resolve) => void clock.timer(daemonBackLookMs, resolve));
  }
}
