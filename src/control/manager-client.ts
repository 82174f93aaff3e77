/**
 * Manager client: a `Manager` whose operations are carried out by a daemon at the other end of a transport.
 *
 * Guarantees: a failure of the operation is the `ManagerError` that the manager threw; a daemon that is not there is a
 * `DaemonAbsentError`. Loads no schemas: it is on the way of every command.
 * Not here: how bytes reach the daemon (platforms/node/unix-http.ts, which the composition gives), and checks of what comes
 * back: the daemon has made them.
 *
 * @module
 */
import { managerGroups, pathOf } from "./manager-routes.ts";
import { ManagerError, type Manager, type ManagerEvent } from "./manager.ts";
import { errorOfProblem } from "./problem.ts";

/** An answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** Carries requests to one daemon. Rejects with an `Error` that has the OS's `code` when there is no way to it. */
export interface HttpTransport {
  /** POSTs `body`, which is JSON. */
  post(path: string, body: string): Promise<HttpAnswer>;
  /** POSTs and takes an endless answer line by line. */
  stream(path: string, body: string): Promise<HttpStream>;
  /** Where it goes, for people. */
  readonly address: string;
}

/** An answer line by line. Whoever reads it ends it with `return`. */
export interface HttpStream {
  readonly status: number;
  /** Without line ends; those of a problem unless `status` is 200. */
  readonly lines: AsyncIterator<string>;
}

/** No daemon answers at the address. */
export class DaemonAbsentError extends Error {
  override readonly name = "DaemonAbsentError";
  readonly code = "absent";
  /** What to do. */
  readonly advice = "Start one with: colos up";

  constructor(address: string, options?: ErrorOptions) {
    super(`no colos daemon runs for this home (nobody answers at ${address})`, options);
  }
}

/** The daemon may have got the request, and nobody knows what became of it. */
export class ConnectionLostError extends ManagerError {
  constructor(why: string) {
    super(
      "internal",
      `the connection to the daemon was lost before its answer: ${why}`,
      "Whether it was carried out is not known; colos ps shows what is.",
    );
  }
}

/** The manager at the other end. */
export function managerClient(transport: HttpTransport): Manager {
  const methods: Record<string, (input?: unknown) => unknown> = {};
  for (const [group, names] of Object.entries(managerGroups)) {
    for (const name of names) {
      const path = pathOf(group, name);
      methods[name] =
        name === "events"
          ? (input) => events(transport, path, bodyOf(input))
          : (input) => invoke(transport, path, bodyOf(input));
    }
  }
  return methods as unknown as Manager;
}

async function invoke(transport: HttpTransport, path: string, body: string): Promise<unknown> {
  const answer = await transport.post(path, body).catch((error: unknown) => refuse(transport, error));
  if (answer.status === 204) return undefined;
  const value = parse(answer.body, transport);
  if (answer.status === 200) return value;
  throw errorOfProblem(value) ?? notDaemon(transport, `it answered with the status ${answer.status}`);
}

function bodyOf(input: unknown): string {
  return input === undefined ? "{}" : JSON.stringify(input);
}

function events(transport: HttpTransport, path: string, body: string): AsyncIterable<ManagerEvent> {
  return { [Symbol.asyncIterator]: () => new Events(transport, path, body) };
}

/** By hand, because the `return` of a generator waits for the next event. */
class Events implements AsyncIterator<ManagerEvent> {
  readonly #transport: HttpTransport;
  readonly #opened: Promise<HttpStream>;

  constructor(transport: HttpTransport, path: string, body: string) {
    this.#transport = transport;
    this.#opened = transport.stream(path, body);
    // Whoever asks for the first event hears of it.
    this.#opened.catch(() => {});
  }

  async next(): Promise<IteratorResult<ManagerEvent>> {
    const transport = this.#transport;
    try {
      const { status, lines } = await this.#opened;
      for (;;) {
        const { value: line, done } = await lines.next();
        if (done === true) return { value: undefined, done };
        if (line === "") continue;
        const value = parse(line, transport);
        const failure = errorOfProblem(status === 200 ? (value as { problem?: unknown }).problem : value);
        if (failure !== undefined) throw failure;
        return { value: value as ManagerEvent, done: false };
      }
    } catch (error) {
      if (error instanceof ManagerError) throw error;
      return refuse(transport, error);
    }
  }

  async return(): Promise<IteratorResult<ManagerEvent>> {
    const opened = await this.#opened.catch(() => undefined);
    await opened?.lines.return?.();
    return { value: undefined, done: true };
  }
}

function parse(text: string, transport: HttpTransport): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw notDaemon(transport, "its answer is not JSON");
  }
}

/** With these the OS says that nobody is there, and nobody was asked. */
export const absentCodes: ReadonlySet<unknown> = new Set(["ENOENT", "ECONNREFUSED", "ENOTDIR"]);

function refuse(transport: HttpTransport, error: unknown): never {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string };
  if (absentCodes.has(code)) throw new DaemonAbsentError(transport.address, { cause: error });
  if (code === "EACCES" || code === "EPERM") {
    throw new ManagerError("refused", `the daemon at ${transport.address} belongs to another user`);
  }
  throw new ConnectionLostError(message ?? String(error));
}

function notDaemon(transport: HttpTransport, why: string): ManagerError {
  return new ManagerError(
    "internal",
    `whoever listens at ${transport.address} is no colos daemon of this version: ${why}`,
  );
}
