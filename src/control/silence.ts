/**
 * Silence: a transport that tells when the daemon behind it answers nothing: it is frozen, or has far too much to do.
 *
 * Guarantees: an operation may take as long as it does; silent is a daemon that does not even say that it lives. It is asked that
 * while an answer is waited for, each `askEveryMs`, and told of once for each time that it falls silent. Nothing is ended by it.
 * Not here: who does something about it (the heart of the daemon's home), what a person is told (cli/).
 *
 * @module
 */
import type { Clock } from "../base/platform.ts";
import type { HttpTransport } from "./manager-client.ts";
import { apiVersion } from "./manager-routes.ts";

/** From the last sign of life to the next question, in milliseconds. */
export const askEveryMs = 1_000;
/** From the last sign of life to the moment when somebody is told, in milliseconds. */
export const silentMs = 2_000;

/** What is answered without the manager, whatever else is under way; also a refusal is an answer. */
const healthPath = `/v${apiVersion}/health`;

export interface SilenceOptions {
  readonly clock: Clock;
  /** Nothing has been heard for `silentMs`. `sinceAt`: epoch milliseconds. */
  silent(sinceAt: number): void;
}

/** The same transport, which tells of silence. */
export function attentiveTransport(transport: HttpTransport, options: SilenceOptions): HttpTransport {
  const attention = new Attention(transport, options);
  return {
    address: transport.address,
    post: (path, body) => attention.during(transport.post(path, body)),
    stream: (path, body) => attention.during(transport.stream(path, body)),
  };
}

class Attention {
  readonly #transport: HttpTransport;
  readonly #options: SilenceOptions;
  /** Requests without an answer. */
  #waitingCount = 0;
  #cancel: () => void = () => {};

  constructor(transport: HttpTransport, options: SilenceOptions) {
    this.#transport = transport;
    this.#options = options;
  }

  /** Listens until the request is answered. */
  async during<T>(asked: Promise<T>): Promise<T> {
    this.#waitingCount += 1;
    if (this.#waitingCount === 1) this.#listen();
    try {
      const answer = await asked;
      this.#waitingCount -= 1;
      this.#listen();
      return answer;
    } catch (error) {
      this.#waitingCount -= 1;
      if (this.#waitingCount === 0) this.#cancel();
      throw error;
    }
  }

  /** It lives at this moment. */
  #listen(): void {
    const { clock, silent } = this.#options;
    this.#cancel();
    if (this.#waitingCount === 0) return;
    const sinceAt = clock.wallMs();
    this.#cancel = clock.timer(askEveryMs, () => {
      this.#cancel = clock.timer(silentMs - askEveryMs, () => silent(sinceAt));
      // What goes wrong with this connection goes wrong with that of the request too.
      this.#transport.post(healthPath, "{}").then(
        () => this.#listen(),
        () => {},
      );
    });
  }
}
