/**
 * Attack: what one connection of the fuzzer does: bytes to write, pauses between them, and how it leaves. Everything follows
 * from the seed and the number of the attack.
 */
import { managerGroups } from "../../src/control/manager-routes.ts";

/** One connection's behaviour. */
export interface Attack {
  readonly kind: string;
  /** Written one after the other, `pauseMs` apart. */
  readonly pieces: readonly Buffer[];
  readonly pauseMs: number;
  /** `wait`: until the server ends it; `halfClose`: the same after ending its own side; `leave`: at once. */
  readonly end: "wait" | "halfClose" | "leave";
  /** Whether it reads what comes. */
  readonly reads: boolean;
  /** How many requests it counts as. */
  readonly requests: number;
  /** The statuses that its answers must have, in order; undefined: anything goes. */
  readonly statuses: readonly number[] | undefined;
}

/** Random choices that follow from a seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number below 2^32 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d_2b_79_f5) >>> 0;
    let value = this.#state;
    value = Math.imul(value ^ (value >>> 15), value | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return (value ^ (value >>> 14)) >>> 0;
  }

  below(count: number): number {
    return this.next() % count;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let index = 0; index < length; index += 1) bytes[index] = this.next() & 0xff;
    return bytes;
  }
}

const paths = Object.entries(managerGroups).flatMap(([group, names]) => names.map((name) => `/v1/${group}/${name}`));
const readable = ["/v1/health", "/v1/system/list", "/v1/system/tree", "/v1/openapi.json"];

/** The attack of that number. */
export function attackOf(seed: number, number: number): Attack {
  const random = new Random(Math.imul(seed, 0x9e_37_79_b1) ^ Math.imul(number + 1, 0x85_eb_ca_6b));
  const [kind, make] = weighted[random.below(weighted.length)]!;
  return { kind, pauseMs: 0, end: "wait", reads: true, requests: 1, statuses: undefined, ...make(random) };
}

type Make = (random: Random) => Partial<Attack> & { readonly pieces: readonly Buffer[] };

const kinds: Readonly<Record<string, readonly [weight: number, make: Make]>> = {
  valid: [6, (random) => ({ pieces: [close(valid(random))], statuses: [200] })],
  bytes: [4, (random) => ({ pieces: [random.bytes(1 + random.below(2000))], end: "halfClose" })],
  mutated: [10, (random) => ({ pieces: [mutated(random, close(request(random)))], end: "halfClose" })],
  truncated: [
    8,
    (random) => ({ pieces: [truncated(random, request(random))], end: random.pick(["halfClose", "leave"]) }),
  ],
  wrongInput: [
    10,
    (random) => ({
      pieces: [close(post(random.pick(paths.filter((path) => !path.includes("events"))), json(random, 0)))],
    }),
  ],
  framing: [4, (random) => ({ pieces: [framing(random)], end: "halfClose" })],
  oversized: [2, oversized],
  pipelined: [8, pipelined],
  halfClosed: [4, (random) => ({ pieces: [valid(random)], end: "halfClose", statuses: [200] })],
  slow: [1, slow],
  stream: [2, stream],
  silent: [1, () => ({ pieces: [], end: "leave" })],
};
const weighted = Object.entries(kinds).flatMap(([kind, [weight, make]]) =>
  Array.from({ length: weight }, () => [kind, make] as const),
);

function get(path: string, headers = ""): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n`);
}

function post(path: string, body: string): Buffer {
  const bytes = Buffer.from(body);
  const head = `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${bytes.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

/** The same request as the last of its connection. */
function close(bytes: Buffer): Buffer {
  const at = bytes.indexOf("\r\n") + 2;
  return Buffer.concat([bytes.subarray(0, at), Buffer.from("connection: close\r\n"), bytes.subarray(at)]);
}

/** A request that is answered with 200. */
function valid(random: Random): Buffer {
  return random.pick([
    () => get(random.pick(readable)),
    () => post("/v1/system/list", "{}"),
    () => post("/v1/services/show", '{"name":"web"}'),
    () => post(`/v1/services/${random.pick(["start", "stop", "restart", "reload"])}`, '{"names":["web"],"wait":false}'),
    () => post("/v1/services/kill", '{"names":["web","web.2"],"signal":"SIGUSR1"}'),
  ])();
}

/** A request that may mean something. */
function request(random: Random): Buffer {
  return random.below(2) === 0 ? valid(random) : post(random.pick(paths), json(random, 0));
}

function mutated(random: Random, bytes: Buffer): Buffer {
  let result = Buffer.from(bytes);
  for (let count = 1 + random.below(8); count > 0; count -= 1) {
    const at = random.below(result.length + 1);
    const piece = random.below(4) === 0 ? Buffer.from(random.pick(tokens)) : random.bytes(1 + random.below(4));
    const cut = random.below(3) === 0 ? 0 : random.below(6);
    result = Buffer.concat([result.subarray(0, at), piece, result.subarray(at + cut)]);
  }
  return result;
}

const tokens = [
  "\r\n",
  "\r\n\r\n",
  "\n",
  "\0",
  ":",
  " ",
  "HTTP/1.0",
  "HTTP/2",
  "%00",
  "../",
  "?",
  "#",
  "[",
  "{",
  '"',
  "\\u",
  "transfer-encoding: chunked\r\n",
];

function truncated(random: Random, bytes: Buffer): Buffer {
  return bytes.subarray(0, random.below(bytes.length));
}

const words = [
  "name",
  "names",
  "wait",
  "timeoutMs",
  "plan",
  "services",
  "env",
  "source",
  "signal",
  "text",
  "instances",
  "__proto__",
  "constructor",
  "toString",
  "~",
  "",
];

/** JSON of any shape, and what is nearly JSON. */
function json(random: Random, depth: number): string {
  const inner = (): string => json(random, depth + 1);
  const many = (): number[] => Array.from({ length: random.below(5) });
  const options: (() => string)[] = [
    () => String(random.next() - 2 ** 31),
    () => random.pick(["true", "false", "null", "1e999", "-0", "NaN", "0x1", "undefined"]),
    () =>
      JSON.stringify(
        random.pick(["web", "web.2", "all", "../../etc/passwd", "\u0000", "\ud800", "x".repeat(random.below(300))]),
      ),
    () => `[${many().map(inner).join(",")}]`,
    () =>
      `{${many()
        .map(() => `${JSON.stringify(random.pick(words))}:${inner()}`)
        .join(",")}}`,
    () => "[".repeat(random.below(100)),
  ];
  if (depth === 0) return random.below(8) === 0 ? random.pick(options)() : options[4]!();
  return depth > 4 ? options[random.below(3)]!() : random.pick(options)();
}

/** Lengths and codings that contradict each other or what follows. */
function framing(random: Random): Buffer {
  const headers = random.pick([
    "content-length: -1",
    "content-length: 5\r\ncontent-length: 6",
    "content-length: 99999999999999999999",
    "content-length: 0x10",
    "transfer-encoding: chunked\r\ncontent-length: 5",
    "transfer-encoding: gzip, chunked",
    "transfer-encoding: chunked",
    "expect: 100-continue\r\ncontent-length: 5",
    "upgrade: websocket\r\nconnection: upgrade\r\ncontent-length: 2",
    "connection: close, keep-alive",
  ]);
  const chunks = random.pick([
    "5\r\n{}   \r\n0\r\n\r\n",
    "zz\r\n",
    "ffffffffffffffffff\r\n",
    "5;x=y\r\nhello\r\n0\r\nx: y\r\n\r\n",
    "{}",
    "",
  ]);
  const method = random.pick(["POST", "POST", "PUT", "CONNECT", "TRACE", "HEAD", "OPTIONS", "PRI"]);
  return Buffer.from(
    `${method} ${random.pick(paths)} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n${headers}\r\n\r\n${chunks}`,
  );
}

/** As large as a plan may be, and nothing but keys. */
const manyKeys = Buffer.from(
  `{${Array.from({ length: 400_000 }, (_, at) => `"a${at}":1`).join(",")}`
    .slice(0, 3_999_999)
    .replace(/[^1]*$/, "")
    .padEnd(3_999_999)
    .concat("}"),
);

function oversized(random: Random): Partial<Attack> & { pieces: Buffer[] } {
  const pieces = random.pick([
    () => [
      Buffer.concat([
        Buffer.from(
          "POST /v1/plan/preview HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 4000000\r\n\r\n",
        ),
        manyKeys,
      ]),
    ],
    () => [get("/v1/health", `x: ${"y".repeat(9000)}\r\n`)],
    () => [get("/v1/health", "a: b\r\n".repeat(3000))],
    () => [get(`/v1/${"x".repeat(20_000)}`)],
    () => [close(post("/v1/services/send", JSON.stringify({ name: "web", text: "x".repeat(70_000) })))],
    () => [
      Buffer.from(
        "POST /v1/services/send HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 600000\r\n\r\n",
      ),
      Buffer.alloc(600_000, " "),
    ],
    () => [
      Buffer.from(
        "POST /v1/plan/apply HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
      ),
      ...Array.from({ length: 20 }, () => Buffer.from(`8000\r\n${"[".repeat(0x8000)}\r\n`)),
      Buffer.from("0\r\n\r\n"),
    ],
    () => [
      Buffer.from(
        `POST /v1/plan/apply HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1;${"x".repeat(20_000)}\r\n`,
      ),
    ],
  ])();
  return { pieces, end: "halfClose" };
}

function pipelined(random: Random): Partial<Attack> & { pieces: Buffer[] } {
  const count = 2 + random.below(7);
  const isBroken = random.below(3) === 0;
  const requests = Array.from({ length: count }, () => valid(random));
  if (isBroken) requests[random.below(count)] = mutated(random, request(random));
  requests.push(close(get("/v1/health")));
  const statuses = isBroken ? undefined : requests.map(() => 200);
  return { pieces: [Buffer.concat(requests)], requests: count + 1, end: isBroken ? "halfClose" : "wait", statuses };
}

function slow(random: Random): Partial<Attack> & { pieces: Buffer[] } {
  const bytes = request(random);
  const pieces = Array.from({ length: Math.min(40, bytes.length) }, (_, at) => bytes.subarray(at, at + 1));
  return { pieces, pauseMs: 5 + random.below(20), end: "leave" };
}

function stream(random: Random): Partial<Attack> & { pieces: Buffer[] } {
  const accept = random.pick(["*/*", "text/event-stream"]);
  return {
    pieces: [get("/v1/system/events", `accept: ${accept}\r\n`)],
    pauseMs: random.below(30),
    end: "leave",
    reads: random.below(2) === 0,
  };
}
