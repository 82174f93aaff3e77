/**
 * Note: what an import says about one thing that stood in the other file, and the service that the import fills.
 *
 * Guarantees: nothing is lost in silence: a key that no importer knows gets a note too. Names become names of services: other
 * characters turn into `-`, and two that would be the same get numbers.
 *
 * @module
 */
import { serviceNameMax } from "../../control/config-limit.ts";
import type { ServiceConfig, SystemConfig } from "../../control/config.ts";
import { isPlainObject } from "../../control/value-schema.ts";

/** `taken`: means the same here. `differs`: taken over, with a difference. `none`: colos has nothing for it. */
export type ImportNoteKind = "taken" | "differs" | "none";

export interface ImportNote {
  readonly kind: ImportNoteKind;
  /** Absent: about the file. */
  readonly service?: string;
  /** The key in the other file. */
  readonly key: string;
  /** One sentence without a full stop. */
  readonly sentence: string;
}

export interface ImportResult {
  readonly config: SystemConfig;
  readonly report: readonly ImportNote[];
}

/** A service that is being filled. */
export type Fields = { -readonly [Key in keyof ServiceConfig]: ServiceConfig[Key] };

/** Takes over one key. What it notes is all that is said; when it notes nothing, the key is taken over as it is. */
export type Handler = (value: unknown, draft: Draft) => void;
export type Handlers = Readonly<Record<string, Handler>>;

/** One service on its way, or the file itself when it has no name. */
export class Draft {
  readonly name: string | undefined;
  readonly fields: Fields = {};
  readonly notes: ImportNote[] = [];
  #key = "";

  constructor(name?: string) {
    this.name = name;
  }

  /**
   * Goes through the keys of `written` with their handlers, else with what `others` gives for a key; one that has neither is
   * said to be unknown. `prefix` goes before the keys in notes.
   */
  read(
    written: unknown,
    handlers: Handlers,
    { prefix = "", others }: { readonly prefix?: string; readonly others?: (key: string) => Handler | undefined } = {},
  ): void {
    if (!isPlainObject(written)) return;
    const outer = this.#key;
    for (const [key, value] of Object.entries(written)) {
      if (value === undefined || value === null) continue;
      this.#key = `${prefix}${key}`;
      const before = this.notes.length;
      const handler = Object.hasOwn(handlers, key) ? handlers[key] : others?.(key);
      if (handler === undefined) this.none("is not known to this import; look whether you need it");
      else handler(value, this);
      if (this.notes.length === before) this.taken("is taken over");
    }
    this.#key = outer;
  }

  taken(sentence: string, key: string = this.#key): void {
    this.#note("taken", key, sentence);
  }

  differs(sentence: string, key: string = this.#key): void {
    this.#note("differs", key, sentence);
  }

  none(sentence: string, key: string = this.#key): void {
    this.#note("none", key, sentence);
  }

  #note(kind: ImportNoteKind, key: string, sentence: string): void {
    this.notes.push({ kind, ...(this.name === undefined ? {} : { service: this.name }), key, sentence });
  }
}

/** A handler for what colos has nothing for. */
export const noCounterpart =
  (sentence: string): Handler =>
  (_, draft) =>
    draft.none(sentence);

/** A handler for what another handler has used already. */
export const usedElsewhere: Handler = () => {};

/** A handler for a word under which services belong together; `none` is that of those without one. */
export const asTag =
  (none: string): Handler =>
  (value, draft) => {
    const written = typeof value === "string" ? value : "";
    const tag = written.replaceAll(/[^A-Za-z0-9_-]+/g, "-").slice(0, serviceNameMax);
    if (written === none || tag === "") return draft.taken("says nothing, and is left out");
    draft.fields.tags = tag;
    return draft.taken(`is the tag ${tag}: verbs take its services as @${tag}`);
  };

/** Names that services can have, all different; `all` is everybody. */
export class ServiceNames {
  readonly #taken = new Set<string>(["all"]);
  readonly #names = new Map<string, string>();

  /** The service's name for `written`; the same for the same. */
  of(written: string): string {
    const known = this.#names.get(written);
    if (known !== undefined) return known;
    const name = this.fresh(written);
    this.#names.set(written, name);
    return name;
  }

  /** A name like `written` that no service has yet. */
  fresh(written: string): string {
    const plain = written.replaceAll(/[^A-Za-z0-9_-]+/g, "-").slice(0, serviceNameMax - 5) || "service";
    let name = plain;
    for (let number = 2; this.#taken.has(name); number++) name = `${plain}-${number}`;
    this.#taken.add(name);
    return name;
  }
}

/** The config of all services, and every note. */
export function importResult(drafts: readonly Draft[], fileNotes: readonly ImportNote[]): ImportResult {
  const services = drafts.map((draft) => [draft.name!, draft.fields] as const);
  return {
    config: { services: Object.fromEntries(services) },
    report: [...fileNotes, ...drafts.flatMap(({ notes }) => notes)],
  };
}
