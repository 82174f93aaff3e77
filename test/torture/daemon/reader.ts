/**
 * Reader: a service that is started again when a file changes. The campaign changes it, once the last change has been read.
 *
 * ```
 * saw <run> <number>    what stood in the file when it began
 * ```
 *
 * @module
 */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Evidence, Fact, Part } from "./part.ts";
import { begin } from "./script.ts";

export const reader: Part = {
  name: "a file that has changed has its service started again, once for each change",
  facts: ["saw", "changed"],
  services: {
    reader: { command: ["sh", "reader.sh"], watch: { paths: ["read/number"], delayMs: 50 } },
  },
  scripts: {
    "reader.sh": `${begin}
read -r number <read/number
echo "saw $COLOS_RUN $number" >>facts
sleep 100000
`,
  },
  evidence: () => new ReaderEvidence(),
};

/** What stands in the file at first. */
const firstNumber = 1;

/** Gives the file another number at once; so nobody reads half of it. */
export function changeFile(folder: string, number: number = firstNumber): void {
  writeFileSync(join(folder, "read", "next"), `${number}\n`);
  renameSync(join(folder, "read", "next"), join(folder, "read", "number"));
}

/** What is changed, and by whom it was read. */
export class ReaderEvidence implements Evidence {
  readonly problems: string[] = [];
  #number: number = firstNumber;
  #seen = 0;

  take({ what, run, values: [number] }: Fact): void {
    if (what !== "saw") return;
    if (Number(number) === this.#seen) this.problems.push(`${run} began, and the file had not changed`);
    this.#seen = Number(number);
  }

  /** The next number of the file; undefined: the last has not been read. */
  next(): number | undefined {
    return this.#seen === this.#number ? (this.#number += 1) : undefined;
  }

  pending(): readonly string[] {
    return this.#seen === this.#number ? [] : [`the file was given ${this.#number}, and no run has begun with it`];
  }
}
