/**
 * Ready line: whether a line that a service writes says that it is ready, by the text or `/expression/flags` of its plan.
 *
 * Guarantees: colour codes do not count, nor does the CR of a line end. Bytes may come in any pieces; a line is looked at once, when its end has come. An expression
 * that backtracks for ever holds nobody up for longer than `matchMaxMs`: then it is given up.
 * Limit: the first `lineCharsMax` characters of a line.
 * Not here: whose lines they are (log/run-recorder.ts, in the foreground the instance), and until when it is waited for (readiness.ts).
 *
 * @module
 */
import { StringDecoder } from "node:string_decoder";
import { stripVTControlCharacters } from "node:util";
import { createContext, Script, type Context } from "node:vm";

/** Characters of a line that are looked at. */
export const lineCharsMax = 16_384;
/** How long an expression may take for the lines of one chunk, in milliseconds. */
export const matchMaxMs = 250;

/** The expression in `/expression/flags`; undefined for a plain text. @throws SyntaxError for a broken one */
export function readyExpression(pattern: string): RegExp | undefined {
  const [, source, flags] = /^\/(.+)\/([dgimsuvy]*)$/s.exec(pattern) ?? [];
  if (source === undefined) return undefined;
  return new RegExp(source, flags!.replaceAll(/[gy]/g, "")); // these two make a match depend on the one before
}

/** What did not happen, as the beginning of a sentence. */
export function noReadyLine(pattern: string): string {
  const isExpression = readyExpression(pattern) !== undefined;
  return `no line of the log ${isExpression ? `matched ${pattern}` : `contained ${JSON.stringify(pattern)}`}`;
}

/** In a script of its own, because only such a one can be interrupted. */
const matching = new Script("lines.some((line) => expression.test(line))");
/** Where it runs: one for all, made when there is the first expression. */
let context: Context | undefined;

/** The lines of one stream of one run. */
export class ReadyLines {
  readonly #pattern: string;
  readonly #expression: RegExp | undefined;
  readonly #decoder = new StringDecoder("utf8");
  /** The beginning of a line whose end has not come. */
  #rest = "";

  /** @throws SyntaxError for a broken expression */
  constructor(pattern: string) {
    this.#pattern = pattern;
    this.#expression = readyExpression(pattern);
  }

  /** Whether a line that ends in these bytes says it. @throws Error with a sentence when the expression takes too long */
  take(bytes: Buffer): boolean {
    const [first = "", ...others] = this.#decoder.write(bytes).split("\n");
    const lines = [this.#rest + first, ...others];
    this.#rest = lines.pop()!.slice(0, lineCharsMax);
    return lines.length > 0 && this.#say(lines);
  }

  /** Whether the last line, which has no end, says it. @throws as `take` */
  end(): boolean {
    const last = this.#rest + this.#decoder.end();
    this.#rest = "";
    return last !== "" && this.#say([last]);
  }

  #say(written: readonly string[]): boolean {
    const lines = written.map((line) => stripVTControlCharacters(line.slice(0, lineCharsMax)).replace(/\r$/, ""));
    const expression = this.#expression;
    if (expression === undefined) return lines.some((line) => line.includes(this.#pattern));
    context ??= createContext({});
    Object.assign(context, { lines, expression });
    try {
      return matching.runInContext(context, { timeout: matchMaxMs }) as boolean;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
      const sentence = `the readiness check ${this.#pattern} took more than ${matchMaxMs} ms for what was written and is given up`;
      throw new Error(sentence, { cause: error });
    } finally {
      Object.assign(context, { lines: [], expression: undefined });
    }
  }
}
