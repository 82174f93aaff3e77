/**
 * Load: clients of an HTTP server that never pause, and what they saw.
 *
 * @module
 */
import { Agent, get } from "node:http";

/** Milliseconds without an answer that count as a time-out. */
const answerMs = 20_000;

/** Asks without a pause over kept connections, or over a new one each time, until it is ended; what went wrong is counted by its code. */
export class Load {
  readonly answers: Set<string> = new Set();
  readonly errors: string[] = [];
  readonly #port: number;
  readonly #agent: Agent;
  readonly #all: Promise<unknown>;
  #isOver = false;

  constructor(port: number, clients: number, isKept = true) {
    this.#port = port;
    this.#agent = new Agent({ keepAlive: isKept, maxSockets: clients });
    this.#all = Promise.all(Array.from({ length: clients }, () => this.#client()));
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#all;
    this.#agent.destroy();
  }

  async #client(): Promise<void> {
    while (!this.#isOver) await this.#ask();
  }

  #ask(): Promise<void> {
    return new Promise((resolve) => {
      const fail = (error: NodeJS.ErrnoException): void => {
        this.errors.push(error.code ?? error.message);
        resolve();
      };
      const request = get({ host: "127.0.0.1", port: this.#port, agent: this.#agent }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => void (text += part));
        response.on("error", fail);
        response.on("end", () => {
          this.answers.add(text);
          resolve();
        });
      });
      request.setTimeout(answerMs, () => request.destroy(new Error("time-out")));
      request.on("error", fail);
    });
  }
}
