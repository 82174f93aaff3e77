/**
 * The shop's HTTP API. Two OS processes run it and accept from one socket; each asks the sessions in colos's heap and the
 * pricing thread as if they were next to it.
 *
 *   GET  /health                        which instance answers
 *   GET  /status                        how many sessions run and how often one was restarted
 *   GET  /sessions/7                    customer 7's basket
 *   POST /sessions/7/items              {"item": "tea", "price": 3}
 *   GET  /sessions/7/quote              what the basket costs today
 *   POST /sessions/7/crash              an exception in the session
 *   POST /pricing/loop                  an endless loop in the pricing thread
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { call, defineProgram, listenOptions, type AnyProcess } from "colos";
import type { Basket, PricingRequest, SessionRequest, SessionsRequest } from "./messages.ts";
import { findSession } from "./sessions.ts";

const bodyBytesMax = 10_000;
const quoteTimeoutMs = 3000;

/** An answer that is not a success, with the status it has. */
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export default defineProgram(async (self: AnyProcess) => {
  const server = createServer((request, response) => {
    answer(self, request).then(
      (value) => send(response, 200, value),
      (error: Error) => send(response, error instanceof Refusal ? error.status : 503, { error: error.message }),
    );
  });
  self.own({ close: () => void server.close() });
  await new Promise<void>((resolve) => server.listen(listenOptions(8000), resolve));
  console.log(`listening, pid ${process.pid}`);

  self.trapExit(true);
  await self.receive(); // The order to stop.
  server.closeAllConnections();
});

async function answer(self: AnyProcess, request: IncomingMessage): Promise<unknown> {
  const [, area, id, action] = (request.url ?? "/").split("/");
  const route = `${request.method} ${area}${action === undefined ? "" : `/${action}`}`;
  switch (route) {
    case "GET health":
      return { ok: true, pid: process.pid, instance: process.env["COLOS_INSTANCE"] };
    case "GET status":
      return call(self, "sessions", { type: "count" } satisfies SessionsRequest);
    case "GET sessions":
      return session(self, id, { type: "basket" });
    case "POST sessions/items":
      return session(self, id, { type: "add", ...(await readItem(request)) });
    case "POST sessions/crash":
      return session(self, id, { type: "crash" });
    case "GET sessions/quote": {
      const { total } = await session(self, id, { type: "basket" });
      return { price: await call(self, "pricing", { type: "quote", total } satisfies PricingRequest, quoteTimeoutMs) };
    }
    case "POST pricing":
      self.request("pricing", { type: "loop" } satisfies PricingRequest, quoteTimeoutMs).catch(() => undefined);
      return { ok: true, note: "pricing loops now; see what the watchdog does" };
    default:
      throw new Refusal(404, `there is no ${route}`);
  }
}

async function session(self: AnyProcess, id: string | undefined, request: SessionRequest): Promise<Basket> {
  const pid = await findSession(self, Number(id));
  if (pid === undefined) throw new Refusal(404, `there is no customer ${id}`);
  return (await call(self, pid, request)) as Basket;
}

async function readItem(request: IncomingMessage): Promise<{ item: string; price: number }> {
  let text = "";
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > bodyBytesMax) throw new Refusal(413, `a body has at most ${bodyBytesMax} bytes`);
  }
  const { item, price } = parse(text) as { item?: unknown; price?: unknown };
  if (typeof item !== "string" || typeof price !== "number") throw new Refusal(400, 'send {"item": "tea", "price": 3}');
  return { item, price };
}

function parse(text: string): object {
  try {
    return Object(JSON.parse(text)) as object;
  } catch {
    throw new Refusal(400, "the body is not JSON");
  }
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json", "access-control-allow-origin": "*" });
  response.end(`${JSON.stringify(value)}\n`);
}
