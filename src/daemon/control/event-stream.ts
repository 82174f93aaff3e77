/**
 * Event stream: an endless answer over HTTP, as NDJSON (a line of JSON per item) or as server-sent events.
 *
 * Guarantees: an item goes out when it comes; a client that does not keep up is cut off with a note, never waited for and never
 * buffered beyond `streamBytesMax`; the source is ended as soon as the client has left. Silence is broken by empty lines
 * (comments), so that either side notices when the other is gone.
 * A stream that ends early says why in its last line: `{"problem":{…}}`, or the event `problem`.
 *
 * @module
 */
import type { ServerResponse } from "node:http";
import { problem, problemOfError, type Problem } from "../../control/problem.ts";
import type { ControlLimits } from "./limits.ts";

/** How items look on the wire. */
interface Form {
  readonly mediaType: string;
  readonly heartbeat: string;
  item(json: string): string;
  problem(json: string): string;
}

const ndjson: Form = {
  mediaType: "application/x-ndjson",
  heartbeat: "\n",
  item: (json) => `${json}\n`,
  problem: (json) => `{"problem":${json}}\n`,
};

const serverSent: Form = {
  mediaType: "text/event-stream",
  heartbeat: ":\n\n",
  item: (json) => `data: ${json}\n\n`,
  problem: (json) => `event: problem\ndata: ${json}\n\n`,
};

/** The form that a client asks for. */
export function formFor(accept: string | undefined): "ndjson" | "serverSent" {
  return accept?.includes(serverSent.mediaType) === true ? "serverSent" : "ndjson";
}

/** What to send and how. */
export interface EventStreamOptions {
  readonly form: "ndjson" | "serverSent";
  readonly limits: Pick<ControlLimits, "streamBytesMax" | "heartbeatMs" | "answerTimeoutMs">;
  /** Aborted when the daemon closes. */
  readonly closing: AbortSignal;
}

/** Sends `items` until either side ends it. Never rejects. */
export async function sendEvents(
  response: ServerResponse,
  items: AsyncIterable<unknown>,
  options: EventStreamOptions,
): Promise<void> {
  const stream = new EventStream(response, items, options);
  await stream.run();
}

class EventStream {
  readonly #response: ServerResponse;
  readonly #source: AsyncIterator<unknown>;
  readonly #form: Form;
  readonly #options: EventStreamOptions;

  constructor(response: ServerResponse, items: AsyncIterable<unknown>, options: EventStreamOptions) {
    this.#response = response;
    this.#source = items[Symbol.asyncIterator]();
    this.#form = options.form === "ndjson" ? ndjson : serverSent;
    this.#options = options;
  }

  async run(): Promise<void> {
    const response = this.#response;
    response.writeHead(200, { "content-type": this.#form.mediaType, "cache-control": "no-store" });
    // The client must know that it is listening before it does what it wants to see.
    response.write(this.#form.heartbeat);
    const heartbeat = setInterval(() => this.#write(this.#form.heartbeat), this.#options.limits.heartbeatMs);
    heartbeat.unref();
    try {
      const ending = await this.#pump();
      if (ending !== undefined) response.write(this.#form.problem(JSON.stringify(ending)));
    } catch (error) {
      response.write(this.#form.problem(JSON.stringify(problemOfError(error))));
    } finally {
      clearInterval(heartbeat);
      this.#leave();
      response.end();
    }
  }

  /** Why it ended early; undefined when the source or the client has ended it. */
  async #pump(): Promise<Problem | undefined> {
    const response = this.#response;
    const { closing, limits } = this.#options;
    const ended = new Promise<"gone" | "closing">((resolve) => {
      const close = (): void => resolve("closing");
      response.once("close", () => {
        closing.removeEventListener("abort", close);
        resolve("gone");
      });
      if (closing.aborted) close();
      closing.addEventListener("abort", close);
    });
    for (;;) {
      const next = await Promise.race([this.#source.next(), ended]);
      if (next === "gone") return undefined;
      if (next === "closing") return problem("refused", "the daemon ends; nothing more comes");
      if (next.done === true) return undefined;
      this.#write(this.#form.item(JSON.stringify(next.value)));
      if (response.writableLength <= limits.streamBytesMax) continue;
      return problem("busy", `the client is too slow: more than ${limits.streamBytesMax} bytes wait for it`, {
        advice: "Ask again and read faster; what came meanwhile is lost.",
      });
    }
  }

  #write(text: string): void {
    if (this.#response.writable) this.#response.write(text);
  }

  /** Not awaited: a generator that waits for its next item takes the end only then. */
  #leave(): void {
    void Promise.resolve(this.#source.return?.()).catch(() => {});
  }
}
