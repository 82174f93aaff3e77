/**
 * Recorder alarms: what the recorder cannot do at this moment, such as writing to a full disk, for whoever looks at the system.
 *
 * Guarantees: an alarm stands while it holds, and goes with it or with the recorder that had it.
 *
 * @module
 */
import { relative, sep } from "node:path";
import type { Home } from "../home.ts";
import type { Recorder } from "./recorder.ts";

export class RecorderAlarms {
  readonly #home: Home;
  /** By the folder that it is about. */
  readonly #sentences = new Map<string, string>();

  constructor(home: Home, recorder: Recorder) {
    this.#home = home;
    recorder.onTrouble((directory, message) => {
      if (message === undefined) this.#sentences.delete(directory);
      else this.#sentences.set(directory, message);
    });
  }

  /** One sentence each. */
  get all(): readonly string[] {
    return [...this.#sentences.values()];
  }

  /** Those about one service, and those about all. */
  of(service: string): readonly string[] {
    return [...this.#sentences].flatMap(([directory, sentence]) => {
      const name = this.#serviceOf(directory);
      return name === undefined || name === service ? [sentence] : [];
    });
  }

  /** Whose log lies there; undefined when it is the home itself. */
  #serviceOf(directory: string): string | undefined {
    const [name = ""] = relative(this.#home.services, directory).split(sep);
    return name === "" || name === ".." ? undefined : name;
  }
}
