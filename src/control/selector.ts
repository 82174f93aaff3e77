/**
 * Selector: the words by which people name services and instances: `web`, `web.2`, `web*`, `*.2`, `@backend`, `all`.
 *
 * Guarantees: one grammar for every face and every verb. A word is one of them or none: `*`, `?` and `@` cannot stand in a name.
 * In a pattern `*` is any number of characters and `?` one, never a dot: without a dot it is about services, with one about
 * instances. Matching takes time in proportion to the lengths, whatever the pattern.
 * Not here: who is there (the daemon's targets.ts; for logs the folders of the home).
 *
 * @module
 */
import { isServiceName } from "./config-limit.ts";

/** Characters of a pattern, its dot and what is behind it included. */
export const patternMax = 128;

/** What a word means. */
export type Selector =
  | { readonly kind: "all" }
  | { readonly kind: "tag"; readonly tag: string }
  /** Services, or with a number their instances, whose names match. */
  | { readonly kind: "pattern"; readonly service: string; readonly number?: string }
  /** One service, or one instance of it. */
  | { readonly kind: "name"; readonly service: string; readonly number?: number };

/** Who is there to be meant. */
export interface Selectable {
  readonly service: string;
  /** 1-based. */
  readonly number: number;
  readonly tags?: readonly string[] | undefined;
}

/** What the word means; undefined when it cannot mean anybody. */
export function parseSelector(text: string): Selector | undefined {
  if (text === "all") return { kind: "all" };
  if (text.startsWith("@")) return isServiceName(text.slice(1)) ? { kind: "tag", tag: text.slice(1) } : undefined;
  if (/[*?]/.test(text)) return parsePattern(text);
  const [, service = "", digits] = /^([^.]*)(?:\.([1-9]\d{0,3}))?$/.exec(text) ?? [];
  if (!isServiceName(service)) return undefined;
  return { kind: "name", service, ...(digits === undefined ? {} : { number: Number(digits) }) };
}

function parsePattern(text: string): Selector | undefined {
  const [, service, number] = /^([\w*?-]+)(?:\.([\d*?]+))?$/.exec(text) ?? [];
  if (service === undefined || text.length > patternMax) return undefined;
  return { kind: "pattern", service, ...(number === undefined ? {} : { number }) };
}

/** Whether it means several at once, by what they have in common: nobody of them is named. */
export function isSet({ kind }: Selector): boolean {
  return kind !== "name";
}

/** Whether it means single instances, and not the services that they are of. */
export function meansInstances(selector: Selector): boolean {
  return "number" in selector;
}

/** The services of those that it means. */
export function servicesOf(selector: Selector): Selector {
  if (!("number" in selector)) return selector;
  return { kind: selector.kind, service: selector.service } as Selector;
}

/** Whether it means this instance. */
export function selects(selector: Selector, { service, number, tags = [] }: Selectable): boolean {
  switch (selector.kind) {
    case "all":
      return true;
    case "tag":
      return tags.includes(selector.tag);
    case "name":
      return selector.service === service && (selector.number ?? number) === number;
    case "pattern":
      return matches(selector.service, service) && matches(selector.number ?? "*", String(number));
  }
}

/** Whether the text is what the pattern says. Goes back to the last `*` alone, so it cannot take long. */
function matches(pattern: string, text: string): boolean {
  let at = 0;
  let starAt = -1;
  let starText = 0;
  for (let index = 0; index < text.length;) {
    if (pattern[at] === "*") {
      starAt = at++;
      starText = index;
    } else if (pattern[at] === "?" || pattern[at] === text[index]) {
      at++;
      index++;
    } else if (starAt >= 0) {
      at = starAt + 1;
      index = ++starText;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
