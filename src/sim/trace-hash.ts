/** Trace hash. @module */
export class TraceHash {
  #one = 0x811c_9dc5;
  #two = 0x9747_b28c;

  add(value: number): void {
    this.#one = Math.imul(this.#one ^ value, 0x0100_0193);
    this.#two = Math.imul(this.#two ^ (value + 0x9e37), 0x85eb_ca6b);
    this.#two ^= this.#two >>> 13;
  }

  digest(): string {
    return `${(this.#one >>> 0).toString(16).padStart(8, "0")}${(this.#two >>> 0).toString(16).padStart(8, "0")}`;
  }
}
