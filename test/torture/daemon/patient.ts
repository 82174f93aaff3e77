/**
 * Patient: a service that fails its liveness check now and then.
 *
 * ```
 * sick <run>    it fails its check from now on
 * ```
 *
 * @module
 */
import type { Evidence, Fact, Part } from "./part.ts";
import { begin, readyMsMax, restless } from "./script.ts";

export const patient: Part = {
  name: "what fails its liveness check is started again, once for each failure",
  facts: ["sick"],
  services: {
    patient: {
      command: ["sh", "patient.sh"],
      ...restless,
      ready: { fd: 3, timeoutMs: readyMsMax },
      live: { exec: ["test", "-e", "well"], everyMs: 2000, failuresMax: 1, timeoutMs: 60_000 },
    },
  },
  scripts: {
    "patient.sh": `${begin}
echo >well
echo >&3
sleep $((\${COLOS_RUN##*.} % 4 + 2))
echo "sick $COLOS_RUN" >>facts
rm well
sleep 100000
`,
  },
  evidence: () => new PatientEvidence(),
};

class PatientEvidence implements Evidence {
  readonly problems: string[] = [];
  #newest: string | undefined;
  #isSick = false;

  take({ what, run, service }: Fact): void {
    if (what === "sick") this.#isSick = true;
    if (what !== "start" || service !== "patient") return;
    if (this.#newest !== undefined && !this.#isSick) this.problems.push(`${run} began, and ${this.#newest} was well`);
    this.#newest = run;
    this.#isSick = false;
  }

  pending(): readonly string[] {
    return this.#isSick ? [`${this.#newest} has failed its check, and no other has begun`] : [];
  }
}
