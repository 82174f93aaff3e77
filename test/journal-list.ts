/**
 * Journal list: the simplest thing a journal can keep, a list of texts.
 *
 * @module
 */
import type { JournalOptions } from "../src/daemon/journal/journal.ts";

export const listOptions: Omit<JournalOptions<readonly string[], string>, "files" | "path"> = {
  version: 1,
  initial: [],
  fold: (state, entry) => [...state, entry],
  snapshot: (state) => state,
  decode(value) {
    if (typeof value === "string") return value;
    throw new Error(`${JSON.stringify(value)} is no text`);
  },
  limits: { compactAtBytes: 8_000 },
};
