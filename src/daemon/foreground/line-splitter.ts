/**
 * Line splitter: turns the bytes a service writes into lines.
 *
 * Guarantees: no byte is lost; a UTF-8 character that arrives in two pieces is one character; the last line without an
 * end comes with `flush`.
 * Limit: a line longer than `lineCharsMax` is given in pieces of that length.
 *
 * @module
 */
import { StringDecoder } from "node:string_decoder";

/** Characters after which an unfinished line is given as it is. */
export const lineCharsMax = 65_536;

export class LineSplitter {
  readonly #take: (line: string) => void;
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";

  /** `take` gets each line without its end (LF or CR LF). */
  constructor(take: (line: string) => void) {
    this.#take = take;
  }

  push(data: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.write(Buffer.from(data.buffer, data.byteOffset, data.byteLength))).split(
      "\n",
    );
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#give(line.endsWith("\r") ? line.slice(0, -1) : line);
    while (this.#rest.length > lineCharsMax) {
      this.#take(this.#rest.slice(0, lineCharsMax));
      this.#rest = this.#rest.slice(lineCharsMax);
    }
  }

  /** Gives what is left, if anything. */
  flush(): void {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = "";
    if (rest !== "") this.#give(rest);
  }

  #give(line: string): void {
    for (let start = 0; start === 0 || start < line.length; start += lineCharsMax) {
      this.#take(line.slice(start, start + lineCharsMax));
    }
  }
}
