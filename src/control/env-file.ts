/**
 * Env file: reads the KEY=VALUE lines that people keep beside a program.
 *
 * ```
 * # a comment
 * PORT=8080                        # unquoted: to the end of the line or to " #"; ends are trimmed
 * export URL="http://localhost:${PORT}\n"   # "…": \n \r \t \" \\ \$, may go over lines
 * PATTERN='as it is: ${PORT} \n'   # '…': nothing is special, may go over lines
 * LEVEL=${LEVEL:-info}             # from an earlier line, else from the environment, else what follows :-
 * ```
 *
 * Guarantees: every line that is wrong is reported with its number, never with a value; nothing is executed: `$(…)` and backticks outside '…' are
 * refused. Later lines win. `$NAME` without braces is text, because passwords contain dollars. Never throws.
 * Limits: `envFileCharactersMax` of text, `envVariablesMax`, `envValuesMax` for all values together after expansion.
 * Not here: reading the file, what wins over what (the daemon).
 *
 * @module
 */

/** Characters of one file. */
export const envFileCharactersMax = 1_048_576;
/** Variables in one file. */
export const envVariablesMax = 10_000;
/** Characters of all values of one file; what execve(2) takes is about that. */
export const envValuesMax = 2_097_152;

export interface EnvFileOptions {
  /** The file as messages name it. */
  readonly source: string;
  /** What `${NAME}` finds when no earlier line has it. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface EnvFileProblem {
  /** Counted from 1. */
  readonly line: number;
  readonly sentence: string;
  /** `.env:3: is not NAME=value` */
  readonly message: string;
}

export type EnvFileResult =
  | { readonly variables: Readonly<Record<string, string>> }
  | { readonly problems: readonly EnvFileProblem[] };

/** Reads the text of an env file. */
export function parseEnvFile(text: string, options: EnvFileOptions): EnvFileResult {
  if (text.length > envFileCharactersMax) {
    const sentence = `has ${text.length} characters; ${envFileCharactersMax} are allowed`;
    return { problems: [{ line: 1, sentence, message: `${options.source}: ${sentence}` }] };
  }
  return new EnvFileReader(text, options).read();
}

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\", $: "$" };
const keyPattern = /[A-Za-z_][\w.-]*/y;
const referencePattern = /\$\{([A-Za-z_][\w.-]*)(?::-([^}]*))?\}/y;

/** A line that cannot be read; `line` counts from 1. */
class Misfit extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

class EnvFileReader {
  readonly #text: string;
  readonly #options: EnvFileOptions;
  readonly #variables = new Map<string, string>();
  readonly #problems: EnvFileProblem[] = [];
  #at = 0;
  #line = 1;
  #valuesLength = 0;
  #expandedLength = 0;

  constructor(text: string, options: EnvFileOptions) {
    this.#text = text.replace(/^\uFEFF/, "").replaceAll("\r\n", "\n");
    this.#options = options;
  }

  read(): EnvFileResult {
    while (this.#at < this.#text.length) {
      try {
        this.#readLine();
      } catch (error) {
        if (!(error instanceof Misfit)) throw error;
        const { line, message: sentence } = error;
        this.#problems.push({ line, sentence, message: `${this.#options.source}:${line}: ${sentence}` });
        this.#skipLine();
      }
    }
    if (this.#problems.length > 0) return { problems: this.#problems };
    return { variables: Object.fromEntries(this.#variables) };
  }

  /** Reads up to and with the line end. */
  #readLine(): void {
    this.#skipBlanks();
    if (this.#isLineEnd() || this.#peek() === "#") return this.#skipLine();
    if (/^export[ \t]+/.test(this.#rest(8))) {
      this.#at += "export".length;
      this.#skipBlanks();
    }
    const key = this.#match(keyPattern)?.[0];
    this.#skipBlanks();
    if (key === undefined || this.#peek() !== "=") throw this.#misfit("is not NAME=value, a comment or empty");
    this.#at += 1;
    this.#skipBlanks();
    const value = this.#readValue(key);
    this.#keep(key, value);
    this.#skipLine();
  }

  #readValue(key: string): string {
    const quote = this.#peek();
    if (quote !== "'" && quote !== '"') return this.#readUnquoted();
    const startLine = this.#line;
    this.#at += 1;
    const value = quote === "'" ? this.#readSingle() : this.#readDouble();
    if (value === undefined) {
      throw new Misfit(startLine, `the value of ${key} has no closing ${quote}; add it`);
    }
    this.#skipBlanks();
    if (!this.#isLineEnd() && this.#peek() !== "#") {
      throw this.#misfit(`the value of ${key} goes on after its closing ${quote}; put all of it into quotes`);
    }
    return value;
  }

  #readUnquoted(): string {
    let value = "";
    while (!this.#isLineEnd()) {
      if (this.#peek() === "#" && /(?:^|[ \t])$/.test(value)) break;
      value += this.#readPiece();
    }
    return value.trim();
  }

  #readSingle(): string | undefined {
    const end = this.#text.indexOf("'", this.#at);
    if (end < 0) return undefined;
    const value = this.#text.slice(this.#at, end);
    this.#line += value.split("\n").length - 1;
    this.#at = end + 1;
    return value;
  }

  #readDouble(): string | undefined {
    const parts: string[] = [];
    for (;;) {
      const character = this.#peek();
      if (character === undefined) return undefined;
      if (character === '"') {
        this.#at += 1;
        return parts.join("");
      }
      const escaped = character === "\\" ? escapes[this.#text[this.#at + 1] ?? ""] : undefined;
      if (escaped !== undefined) {
        this.#at += 2;
        parts.push(escaped);
      } else parts.push(this.#readPiece());
    }
  }

  /** One character, or what a reference stands for. */
  #readPiece(): string {
    const character = this.#text[this.#at]!;
    if (character === "`" || this.#rest(2) === "$(") {
      const what = character === "`" ? "a backtick" : "$(…)";
      throw this.#misfit(`${what} is not executed here; put it into '…' when it is meant as text`);
    }
    if (this.#rest(2) === "${") return this.#readReference();
    if (character === "\0") throw this.#misfit("it contains a NUL character, which no variable can");
    if (character === "\n") this.#line += 1;
    this.#at += 1;
    return character;
  }

  #readReference(): string {
    const reference = this.#match(referencePattern);
    if (reference === undefined) {
      throw this.#misfit(
        "${ is not followed by a name and }; write ${NAME} or ${NAME:-default}, or '…' for the text itself",
      );
    }
    const [, name, fallback] = reference;
    const { env = {} } = this.#options;
    const value = this.#variables.get(name!) ?? (Object.hasOwn(env, name!) ? env[name!] : undefined);
    if (fallback !== undefined && (value === undefined || value === "")) return fallback;
    if (value !== undefined) {
      this.#expandedLength += value.length;
      if (this.#expandedLength > envValuesMax) throw this.#last(`references have more than ${envValuesMax} characters`);
      return value;
    }
    throw this.#misfit(`there is no ${name} in an earlier line or in the environment; write \${${name}:-} for nothing`);
  }

  #keep(key: string, value: string): void {
    this.#valuesLength += value.length;
    if (this.#valuesLength > envValuesMax) throw this.#last(`the values have more than ${envValuesMax} characters`);
    if (this.#variables.size >= envVariablesMax && !this.#variables.has(key)) {
      throw this.#last(`there are more than ${envVariablesMax} variables`);
    }
    this.#variables.set(key, value);
  }

  #misfit(message: string): Misfit {
    return new Misfit(this.#line, message);
  }

  /** After this nothing more is read. */
  #last(message: string): Misfit {
    this.#at = this.#text.length;
    return this.#misfit(message);
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #rest(length: number): string {
    return this.#text.slice(this.#at, this.#at + length);
  }

  #match(sticky: RegExp): RegExpExecArray | undefined {
    sticky.lastIndex = this.#at;
    const match = sticky.exec(this.#text) ?? undefined;
    this.#at += match?.[0].length ?? 0;
    return match;
  }

  #isLineEnd(): boolean {
    return this.#at >= this.#text.length || this.#text[this.#at] === "\n";
  }

  #skipBlanks(): void {
    while (this.#peek() === " " || this.#peek() === "\t") this.#at += 1;
  }

  #skipLine(): void {
    const end = this.#text.indexOf("\n", this.#at);
    this.#at = end < 0 ? this.#text.length : end + 1;
    this.#line += 1;
  }
}
