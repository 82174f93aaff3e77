/**
 * Abort condition: when chaos ends before its time, in a small closed language.
 *
 * ```
 * conditions  condition { "or" condition }
 * condition   [name] ("failed" | "degraded")
 *             [name] "not-ready" [">" time]
 *             [name] "restarts" ">" number
 *             "no-daemon" [">" time]
 *             "probe" url "fails" [">" time]
 * ```
 * A name is that of a service or an instance; without one all are meant.
 * Guarantees: what is not in the language is refused with a sentence; nothing is executed.
 * Limit: `conditionsMax`.
 * Not here: whether a condition holds (testing/chaos).
 *
 * @module
 */
import { suggestionClause } from "../base/suggestion.ts";
import { parseDuration } from "./quantity.ts";

/** Conditions joined by `or`. */
export const conditionsMax = 20;
/** The longest time in a condition, in milliseconds. */
export const conditionMsMax = 3_600_000;

export type AbortCondition =
  | { readonly kind: "failed" | "degraded"; readonly name?: string }
  | { readonly kind: "not-ready"; readonly name?: string; readonly overMs: number }
  | { readonly kind: "restarts"; readonly name?: string; readonly over: number }
  | { readonly kind: "no-daemon"; readonly overMs: number }
  | { readonly kind: "probe"; readonly url: string; readonly overMs: number };

/** When nobody says anything else. */
export const abortDefault: readonly AbortCondition[] = [{ kind: "failed" }, { kind: "degraded" }];

const kinds = ["failed", "degraded", "not-ready", "restarts", "no-daemon", "probe"] as const;
type Kind = (typeof kinds)[number];

/** The conditions of a text, or the sentence that says what is wrong with it. */
export function parseAbortConditions(text: string): readonly AbortCondition[] | { readonly problem: string } {
  const words = text.split(/\s+/).filter((word) => word !== "");
  const groups: string[][] = [[]];
  for (const word of words) {
    if (word === "or") groups.push([]);
    else groups.at(-1)!.push(word);
  }
  if (groups.length > conditionsMax) return { problem: `there are more than ${conditionsMax} conditions` };
  const conditions: AbortCondition[] = [];
  for (const group of groups) {
    const condition = parseCondition(group);
    if (typeof condition === "string") return { problem: condition };
    conditions.push(condition);
  }
  return conditions;
}

/** The text of conditions, as it can be written. */
export function abortText(conditions: readonly AbortCondition[]): string {
  return conditions.map(conditionText).join(" or ");
}

function conditionText(condition: AbortCondition): string {
  const name = "name" in condition && condition.name !== undefined ? `${condition.name} ` : "";
  switch (condition.kind) {
    case "failed":
    case "degraded":
      return `${name}${condition.kind}`;
    case "restarts":
      return `${name}restarts > ${condition.over}`;
    case "not-ready":
    case "no-daemon":
      return `${name}${condition.kind}${overText(condition.overMs)}`;
    case "probe":
      return `probe ${condition.url} fails${overText(condition.overMs)}`;
  }
}

function overText(overMs: number): string {
  if (overMs === 0) return "";
  return overMs % 1000 === 0 ? ` > ${overMs / 1000}s` : ` > ${overMs}ms`;
}

function parseCondition(words: readonly string[]): AbortCondition | string {
  const [first, second] = words;
  if (first === undefined) return 'a condition is missing; write for example "not-ready > 10s"';
  if (isKind(first)) return parseKind(first, words.slice(1), {});
  if (second !== undefined && isKind(second) && second !== "no-daemon" && second !== "probe") {
    return parseKind(second, words.slice(2), { name: first });
  }
  const clause = suggestionClause(second ?? first, kinds);
  return `"${words.join(" ")}" is not a condition${clause || `; conditions are ${kinds.join(", ")}`}`;
}

function isKind(word: string): word is Kind {
  return kinds.some((kind) => kind === word);
}

function parseKind(kind: Kind, rest: readonly string[], of: { readonly name?: string }): AbortCondition | string {
  switch (kind) {
    case "failed":
    case "degraded":
      return rest.length === 0 ? { kind, ...of } : `nothing stands behind ${kind}, but "${rest.join(" ")}" does`;
    case "restarts": {
      const [sign, number = "", ...more] = rest;
      if (sign !== ">" || more.length > 0 || !/^\d{1,9}$/.test(number)) return 'restarts is written "restarts > 20"';
      return { kind, ...of, over: Number(number) };
    }
    case "not-ready":
    case "no-daemon": {
      const overMs = parseOver(rest);
      return overMs === undefined ? `${kind} is written "${kind}" or "${kind} > 10s"` : { kind, ...of, overMs };
    }
    case "probe": {
      const [url = "", fails, ...more] = rest;
      const overMs = fails === "fails" ? parseOver(more) : undefined;
      // Engine-neutral code has no URL; who asks it sees what is wrong with the rest.
      if (overMs === undefined || !/^https?:\/\/[^\s/]+/.test(url)) {
        return 'probe is written "probe http://localhost:8000/health fails" or "probe http://localhost:8000 fails > 10s"';
      }
      return { kind, url, overMs };
    }
  }
}

function parseOver(words: readonly string[]): number | undefined {
  if (words.length === 0) return 0;
  if (words[0] !== ">") return undefined;
  const time = words.slice(1).join(" ");
  const overMs = parseDuration(time.replace(/^([\d.]+) ?m$/, "$1min"));
  return overMs !== undefined && overMs <= conditionMsMax ? overMs : undefined;
}
