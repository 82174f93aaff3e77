/**
 * The shop's HTTP API. Two OS processes run it and accept from one socket; each asks the sessions in colos's heap and the
 * pricing thread as if they were next to it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { call, defineProgram, Exit, isNoProcess, listenOptions, type AnyProcess } from "colos";
import {
  sessionName,
  type Basket,
  type Item,
  type PricingRequest,
  type SessionRequest,
  type SessionsRequest,
} from "./messages.ts";

const bodyCharsMax = 10_000;
const quoteTimeoutMs = 3000;

type Route = (self: AnyProcess, customer: number, request: IncomingMessage) => unknown;

const routes: Readonly<Record<string, Route>> = {
  // Which instance answers.
  "GET /health": () => ({ ok: true, pid: process.pid, instance: process.env["COLOS_INSTANCE"] }),

  // How many sessions run and how often one was restarted.
  "GET /status": (self) => call(self, "sessions", { type: "status" } satisfies SessionsRequest),

  // A customer's basket.
  "GET /sessions/:customer": (self, customer) => askSession(self, customer, { type: "basket" }),

  // With a body such as {"name": "tea", "price": 3}.
  "POST /sessions/:customer/items": async (self, customer, request) =>
    askSession(self, customer, { type: "add", item: await readItem(request) }),

  // What the basket costs today.
  "GET /sessions/:customer/quote": async (self, customer) => {
    const { total } = await askSession(self, customer, { type: "basket" });
    return { price: await call(self, "pricing", { type: "quote", total } satisfies PricingRequest, quoteTimeoutMs) };
  },

  // An exception in the session.
  "POST /sessions/:customer/crash": (self, customer) => askSession(self, customer, { type: "crash" }),

  // An endless loop in the pricing thread, which can therefore not answer.
  "POST /pricing/loop": (self) => {
    call(self, "pricing", { type: "loop" } satisfies PricingRequest).catch(() => {});
    return { ok: true, note: "pricing loops now; see what the watchdog does" };
  },
};

/** An answer that is not a success. */
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
      (error: Error) => send(response, statusOf(error), { error: error.message }),
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
  const [path = ""] = (request.url ?? "").split("?");
  const customer = Number(/^\/sessions\/(\d+)/.exec(path)?.[1]);
  const pattern = path.replace(/^\/sessions\/\d+/, "/sessions/:customer");
  const route = routes[`${request.method} ${pattern}`];
  if (route !== undefined) return route(self, customer, request);
  const isKnown = Object.keys(routes).some((known) => known.endsWith(` ${pattern}`));
  throw new Refusal(isKnown ? 405 : 404, `there is no ${request.method} ${path}`);
}

async function askSession(self: AnyProcess, customer: number, request: SessionRequest): Promise<Basket> {
  try {
    return (await call(self, sessionName(customer), request)) as Basket;
  } catch (error) {
    const isAbsent = error instanceof Exit && isNoProcess(error.reason);
    throw isAbsent ? new Refusal(404, `there is no customer ${customer}`) : error;
  }
}

async function readItem(request: IncomingMessage): Promise<Item> {
  const { name, price } = parse(await readBody(request));
  const isItem = typeof name === "string" && typeof price === "number" && Number.isFinite(price);
  if (!isItem) throw new Refusal(400, 'send {"name": "tea", "price": 3}');
  return { name, price };
}

/** Reads to the end also what is too long: a client that still sends does not hear the answer. */
async function readBody(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) if (text.length <= bodyCharsMax) text += String(chunk);
  if (text.length > bodyCharsMax) throw new Refusal(413, `a body has at most ${bodyCharsMax} characters`);
  return text;
}

function parse(text: string): { readonly name?: unknown; readonly price?: unknown } {
  try {
    return Object(JSON.parse(text)) as object;
  } catch {
    throw new Refusal(400, "the body is not JSON");
  }
}

/** A process that did not answer, or ended instead, may be back in a moment. */
function statusOf(error: Error): number {
  if (error instanceof Refusal) return error.status;
  return error instanceof Exit ? 503 : 500;
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json", "access-control-allow-origin": "*" });
  response.end(`${JSON.stringify(value)}\n`);
}
