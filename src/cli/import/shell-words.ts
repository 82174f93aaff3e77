/**
 * Shell words: a line that another program gives to a shell, as the words of a command, which colos starts without one.
 *
 * Guarantees: quotes and backslashes mean what sh(1) says. A line that means more than its words (variables, pipes, `&&`,
 * redirections, patterns, assignments, built-ins) is not split but given to `sh -c` as it is, and it is said why.
 *
 * @module
 */

/** A command, and why it needs a shell when it does. */
export interface ShellCommand {
  readonly command: readonly [string, ...string[]];
  /** What of it only a shell can do: `variables`, `pipes`, …; absent: nothing. */
  readonly shellFor?: string;
}

/** Words that are part of the shell. */
const builtIns: ReadonlySet<string> = new Set(
  ". : cd exec export source set unset ulimit umask eval exit if for while until case { trap wait alias".split(" "),
);

/** What unquoted characters do in a shell. */
const meanings: readonly (readonly [RegExp, string])[] = [
  [/[|]/, "pipes"],
  [/[&;\n]/, "several commands"],
  [/[<>]/, "redirections"],
  [/[()]/, "subshells"],
  [/[*?[\]]/, "patterns"],
  [/[{}]/, "braces"],
];

/** The command that does what `line` does in a shell; undefined for a line without words. */
export function commandOfLine(line: string): ShellCommand | undefined {
  const text = line.trim();
  if (text === "") return undefined;
  const viaShell = (shellFor: string): ShellCommand => ({ command: ["sh", "-c", text], shellFor });
  const split = splitWords(text);
  if ("problem" in split) return viaShell(split.problem);
  const words = split.words[0] === "exec" && split.words.length > 1 ? split.words.slice(1) : split.words;
  const [first, ...rest] = words;
  if (split.special !== undefined) return viaShell(split.special);
  if (first === undefined || first === "") return undefined;
  if (/^[A-Za-z_]\w*=/.test(first)) return viaShell("assignments");
  if (builtIns.has(first)) return viaShell(`the built-in ${first}`);
  return { command: [first, ...rest] };
}

interface Split {
  readonly words: readonly string[];
  /** What a shell would do besides splitting. */
  readonly special: string | undefined;
}

/** Splits a line as sh(1) does, and says what else sh would do with it. */
export function splitWords(line: string): Split | { readonly problem: string } {
  const words: string[] = [];
  let word: string | undefined;
  let special: string | undefined;
  let at = 0;
  const see = (what: string): void => void (special ??= what);
  while (at < line.length) {
    const character = line[at]!;
    at += 1;
    if (/[ \t]/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === "'") {
      const end = line.indexOf("'", at);
      if (end < 0) return { problem: "an open quote" };
      word = (word ?? "") + line.slice(at, end);
      at = end + 1;
    } else if (character === '"') {
      const quoted = readDouble(line, at);
      if (quoted === undefined) return { problem: "an open quote" };
      if (quoted.special !== undefined) see(quoted.special);
      word = (word ?? "") + quoted.text;
      at = quoted.end;
    } else if (character === "\\") {
      if (line[at] !== "\n") word = (word ?? "") + (line[at] ?? "\\");
      at += 1;
    } else {
      const meaning = meaningOf(character, word);
      if (meaning !== undefined) see(meaning);
      word = (word ?? "") + character;
    }
  }
  if (word !== undefined) words.push(word);
  return { words, special };
}

function meaningOf(character: string, word: string | undefined): string | undefined {
  if (character === "$") return "variables";
  if (character === "`") return "command substitution";
  if (character === "~" && word === undefined) return "the home folder";
  if (character === "#" && word === undefined) return "a comment";
  return meanings.find(([pattern]) => pattern.test(character))?.[1];
}

function readDouble(
  line: string,
  start: number,
): { readonly text: string; readonly end: number; readonly special: string | undefined } | undefined {
  let text = "";
  let special: string | undefined;
  for (let at = start; at < line.length; at++) {
    const character = line[at]!;
    if (character === '"') return { text, end: at + 1, special };
    if (character === "\\" && /["\\$`]/.test(line[at + 1] ?? "")) {
      at += 1;
      text += line[at]!;
      continue;
    }
    if (character === "$") special ??= "variables";
    if (character === "`") special ??= "command substitution";
    text += character;
  }
  return undefined;
}
