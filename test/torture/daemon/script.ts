/**
 * Script: how each script of the fleet begins.
 *
 * @module
 */

/** A standby waits for its turn and has done nothing before. The lock is the kernel's, and every child has it too: it is free when nothing of a run is left. */
export const begin = `
[ -z "$COLOS_STANDBY" ] || eval "read -r turn <&$COLOS_STANDBY" || exit 1
exec 9>>"locks/\${COLOS_RUN%.*}"
flock -n 9 || echo "twice $COLOS_RUN $$" >>facts
echo "start $COLOS_RUN $$ $VERSION $TOKEN $EPOCH" >>facts
`;

/** Whatever happens, it is started again soon, and never given up. */
export const restless = {
  maxRestarts: 10_000,
  periodMs: 1000,
  backoff: { initialMs: 200, factor: 1, jitter: 0 },
} as const;

/** A readiness that is waited for as long as a campaign may last, in milliseconds: one that is lost is never made up for by another run. */
export const readyMsMax = 3_600_000;
