/**
 * In time: every wait of the campaign has a limit and a name, so that a run that hangs says where.
 *
 * @module
 */

/** What `work` gives; rejects with `sentence` when that takes longer than `limitMs`. The work itself goes on. */
export async function inTime<T>(work: Promise<T>, limitMs: number, sentence: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${sentence} within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Entries that are told of a run that failed. */
const diaryEntriesMax = 12;

/** What is being done, since when, and what was done before. */
export class Steps {
  #current: { readonly name: string; readonly dueMs: number; readonly limitMs: number } | undefined;
  readonly #diary: string[] = [];

  /** The step before is over. */
  begin(name: string, limitMs: number): void {
    this.#current = { name, dueMs: performance.now() + limitMs, limitMs };
    this.#diary.push(name);
    if (this.#diary.length > diaryEntriesMax) this.#diary.shift();
  }

  /** What came of the step, for people. */
  note(sentence: string): void {
    const last = this.#diary.length - 1;
    if (last >= 0) this.#diary[last] += `: ${sentence}`;
  }

  end(): void {
    this.#current = undefined;
  }

  /** The step that takes too long. */
  problems(): readonly string[] {
    if (this.#current === undefined || performance.now() < this.#current.dueMs) return [];
    return [`"${this.#current.name}" has not come to its end within ${this.#current.limitMs} ms`];
  }

  /** The last entries, oldest first. */
  diary(): readonly string[] {
    return this.#diary;
  }
}
