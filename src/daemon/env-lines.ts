/**
 * Env lines: the KEY=VALUE lines of an env file.
 *
 * @module
 */

/** What is wrong, and in which line, counted from 1. The message never holds a value. */
export interface EnvProblem {
  readonly problem: string;
  readonly line: number;
}

/** Reads the variables of an env file: `#` comments, `export`, quotes; nothing is expanded. */
export function parseEnvLines(text: string): { readonly values: Readonly<Record<string, string>> } | EnvProblem {
  const found: [string, string][] = [];
  for (const [at, line] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const [, key, rest] = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined) return { problem: "is not a line KEY=VALUE", line: at + 1 };
    const value = valueOf(rest!);
    if (value === undefined) return { problem: `${key} has a quote that does not end`, line: at + 1 };
    found.push([key, value]);
  }
  return { values: Object.fromEntries(found) };
}

function valueOf(text: string): string | undefined {
  if (text.startsWith("'")) return /^'([^']*)'\s*(?:#.*)?$/.exec(text)?.[1];
  if (text.startsWith('"'))
    return /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/
      .exec(text)?.[1]
      ?.replaceAll(/\\(.)/g, (_, letter: string) => (letter === "n" ? "\n" : letter));
  return text.replace(/(?:^|\s+)#.*$/, "");
}
