/**
 * JSON syntax: where a text stops being JSON, and what was expected there. The host's own message names no line,
 * and for many errors no position at all.
 *
 * Guarantees: finds an error exactly when `JSON.parse` throws (property-tested), and in what is nested deeper than
 * `depthMax`.
 * Not here: the value (JSON.parse), duplicate keys (config-positions.ts).
 *
 * @module
 */

/** Objects and lists inside each other. */
export const depthMax = 500;

/** What is wrong at a place in a JSON text. */
export interface JsonError {
  /** Counted from 0, in UTF-16 units. */
  readonly offset: number;
  readonly sentence: string;
}

/** The first place at which `text` is not JSON; undefined when it is. */
export function findJsonError(text: string): JsonError | undefined {
  const scanner = new Scanner(text);
  try {
    scanner.value(0);
    scanner.end();
    return undefined;
  } catch (error) {
    if (error instanceof NotJson) return error;
    throw error;
  }
}

class NotJson extends Error implements JsonError {
  readonly offset: number;
  readonly sentence: string;

  constructor(offset: number, sentence: string) {
    super(sentence);
    this.offset = offset;
    this.sentence = sentence;
  }
}

const space = /[ \t\n\r]*/y;
const string = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const scalar = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;
const openString = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;

class Scanner {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): void {
    this.#skip(space);
    const next = this.#text[this.#offset];
    if (depth > depthMax) this.#fail(`objects and lists are nested deeper than ${depthMax}`);
    if (next === "{") this.#members("}", depth, () => this.#key());
    else if (next === "[") this.#members("]", depth, () => undefined);
    else if (next === '"') this.#string();
    else if (!this.#skip(scalar)) this.#failExpecting("a value");
  }

  end(): void {
    this.#skip(space);
    if (this.#offset < this.#text.length) this.#failExpecting("the end of the file");
  }

  /** The inside of an object or a list; the opening bracket is next. */
  #members(close: string, depth: number, key: () => void): void {
    this.#offset++;
    this.#skip(space);
    if (this.#take(close)) return;
    for (;;) {
      key();
      this.value(depth + 1);
      this.#skip(space);
      if (this.#take(close)) return;
      if (!this.#take(",")) this.#failExpecting(`a comma or ${close}`);
      this.#skip(space);
      if (this.#text[this.#offset] === close) this.#fail(`a comma before ${close} is not allowed in JSON`);
    }
  }

  #key(): void {
    this.#skip(space);
    if (this.#text[this.#offset] !== '"') this.#failExpecting("a key in double quotes");
    this.#string();
    this.#skip(space);
    if (!this.#take(":")) this.#failExpecting("a colon");
  }

  #string(): void {
    const start = this.#offset;
    if (this.#skip(string)) return;
    this.#skip(openString);
    if (this.#text[this.#offset] === "\\") this.#fail("the backslash starts no escape that JSON knows");
    this.#offset = start;
    this.#fail("the text that starts here has no closing quote on its line");
  }

  /** Moves over a match of a sticky expression; false when there is none, or an empty one. */
  #skip(expression: RegExp): boolean {
    expression.lastIndex = this.#offset;
    const match = expression.exec(this.#text);
    if (match === null) return false;
    this.#offset += match[0].length;
    return match[0].length > 0;
  }

  #take(character: string): boolean {
    if (this.#text[this.#offset] !== character) return false;
    this.#offset++;
    return true;
  }

  #failExpecting(expected: string): never {
    const rest = this.#text.slice(this.#offset);
    if (rest === "") this.#fail(`the file ends where ${expected} belongs`);
    if (/^(?:\/\/|\/\*|#)/.test(rest)) this.#fail("a comment is not allowed in JSON");
    this.#fail(`${JSON.stringify(/^(?:[\w.+-]+|.)/su.exec(rest)![0].slice(0, 20))} is not ${expected}`);
  }

  #fail(sentence: string): never {
    throw new NotJson(this.#offset, sentence);
  }
}
