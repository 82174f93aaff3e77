/**
 * Source: what a check reads, what it reports, and TypeScript text with its comments and literals blanked out, so
 * that a search for a word finds code and nothing else.
 *
 * Not here: a parser. `blank` knows strings, templates, comments and regular expressions, and that is enough.
 *
 * @module
 */

/** A text file of the repository; `path` is relative to its root, with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** One broken rule: `path:line: problem`. */
export type Finding = string;

/** Reports `problem` at the place of `index` in the file. */
export function finding(file: SourceFile, index: number, problem: string): Finding {
  return `${file.path}:${file.text.slice(0, index).split("\n").length}: ${problem}`;
}

/** Every match of `pattern` in code (not in comments or literals) as a finding. */
export function findAll(file: SourceFile, pattern: RegExp, problem: (match: RegExpExecArray) => string): Finding[] {
  return [...blank(file.text).matchAll(pattern)].map((match) => finding(file, match.index, problem(match)));
}

/** Words after which a slash opens a regular expression. */
const wordBeforeRegExp =
  /(?:^|[^.\w$])(?:return|typeof|case|in|of|delete|void|throw|new|else|do|instanceof|yield|await)$/;
const comment = /\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y;
const quoted = /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/y;
const regExp = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const templateText = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y;

/**
 * The same text, of the same length and with the same lines, in which comments, the insides of strings and of
 * templates, and regular expressions are spaces. Quotes and the code inside `${}` stay.
 */
export function blank(text: string): string {
  return new Blanker(text).run();
}

class Blanker {
  readonly #text: string;
  #index = 0;
  #out = "";
  /** Depth of curly brackets for each open `${`; the last one is the innermost. */
  readonly #depths: number[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  run(): string {
    while (this.#index < this.#text.length) this.#step();
    return this.#out;
  }

  #step(): void {
    const char = this.#text[this.#index] ?? "";
    if (this.#take(comment, 0)) return;
    if (this.#take(quoted, 1)) return;
    if (char === "/" && this.#opensRegExp() && this.#take(regExp, 0)) return;
    if (char === "`") return this.#template();
    if (char === "{" && this.#depths.length > 0) this.#depths.push((this.#depths.pop() ?? 0) + 1);
    if (char === "}" && this.#closesTemplateCode()) return this.#template();
    this.#keep(1);
  }

  /** Blanks what `pattern` matches here, except `edge` characters on both sides. */
  #take(pattern: RegExp, edge: number): boolean {
    pattern.lastIndex = this.#index;
    const match = pattern.exec(this.#text)?.[0];
    if (match === undefined) return false;
    this.#keep(edge);
    this.#erase(match.length - 2 * edge);
    this.#keep(edge);
    return true;
  }

  /** From a back quote, or from the bracket that ends `${}`, to the next `${` or the closing back quote. */
  #template(): void {
    this.#keep(1);
    templateText.lastIndex = this.#index;
    this.#erase(templateText.exec(this.#text)?.[0].length ?? 0);
    if (this.#text[this.#index] === "$") {
      this.#keep(2);
      this.#depths.push(0);
    } else {
      this.#keep(1);
    }
  }

  #closesTemplateCode(): boolean {
    const depth = this.#depths.pop();
    if (depth === undefined) return false;
    if (depth === 0) return true;
    this.#depths.push(depth - 1);
    return false;
  }

  #opensRegExp(): boolean {
    const before = this.#out.trimEnd();
    return before === "" || /[(,=:[!&|?{};+\-*%<>~^]$/.test(before) || wordBeforeRegExp.test(before.slice(-12));
  }

  #keep(count: number): void {
    this.#out += this.#text.slice(this.#index, this.#index + count);
    this.#index += count;
  }

  #erase(count: number): void {
    this.#out += this.#text.slice(this.#index, this.#index + count).replace(/[^\n]/g, " ");
    this.#index += count;
  }
}
