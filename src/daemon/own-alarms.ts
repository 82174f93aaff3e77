/**
 * Own alarms: what colos itself is short of at this moment, a sentence each, for whoever looks at the system.
 *
 * Guarantees: an alarm stands from `set` with a sentence to `set` without one; the same thing has one at a time.
 * Not here: what the recorder cannot do (log/recorder-alarms.ts), which ends with the recorder.
 *
 * @module
 */

/** Sentences that are told of at most; a list of hundreds helps nobody. */
export const alarmsShownMax = 20;

interface Alarm {
  readonly sentence: string;
  readonly service: string | undefined;
}

export class OwnAlarms {
  readonly #alarms = new Map<string, Alarm>();

  /** `about` is what it is about, such as `journal`; `sentence` undefined: it is over. `service`: it is about that one alone. */
  set(about: string, sentence: string | undefined, service?: string): void {
    if (sentence === undefined) this.#alarms.delete(about);
    else this.#alarms.set(about, { sentence, service });
  }

  /** One sentence each, the oldest first; at most `alarmsShownMax`. */
  get all(): readonly string[] {
    return [...new Set([...this.#alarms.values()].map(({ sentence }) => sentence))].slice(0, alarmsShownMax);
  }

  /** Those about one service, and those about all. */
  of(name: string): readonly string[] {
    const those = [...this.#alarms.values()].filter(({ service }) => service === undefined || service === name);
    return [...new Set(those.map(({ sentence }) => sentence))].slice(0, alarmsShownMax);
  }
}
