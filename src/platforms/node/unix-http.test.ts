import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { headBytesMax, HttpAnswerParser } from "./http-answer.ts";
import { linesMax, unixHttp, type UnixHttp } from "./unix-http.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** A server that does with each connection what it is told. */
async function serving(behave: (socket: Socket) => void): Promise<UnixHttp> {
  const folder = mkdtempSync(join(tmpdir(), "colos-http-"));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "s");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => behave(socket));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return unixHttp(path);
}

const answer = (body: string): string => `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const chunked = (...parts: readonly string[]): string =>
  `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${parts
    .map((part) => `${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`)
    .join("")}`;

describe("http answer", () => {
  test.each([
    [answer("hällo"), "hällo"],
    [`${chunked("hä", "llo")}0\r\n\r\n`, "hällo"],
    ["HTTP/1.1 204 No Content\r\n\r\n", ""],
    ["HTTP/1.0 200 OK\r\n\r\nto the end", "to the end"],
  ])("%j is read however it is cut", (text, body) => {
    const bytes = Buffer.from(text);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (places) => {
        const parser = new HttpAnswerParser();
        const cuts = [0, ...places.toSorted((a, b) => a - b), bytes.length];
        const parts = cuts.slice(1).flatMap((end, at) => parser.push(bytes.subarray(cuts[at], end)));
        parser.end();

        expect([Buffer.concat(parts).toString(), parser.isComplete]).toEqual([body, true]);
      }),
    );
  });

  test.each([answer("hello").slice(0, -1), chunked("hello"), "HTTP/1.1 200", ""])("%j is not whole", (text) => {
    const parser = new HttpAnswerParser();
    parser.push(Buffer.from(text));

    expect(() => parser.end()).toThrow("the connection ended in the middle of the answer");
  });

  test.each([
    ["hello\r\n\r\n", "not an answer of HTTP/1.1"],
    ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", "has no size"],
    ["x".repeat(headBytesMax + 1), "has no end"],
  ])("%#: what is no answer is refused", (text, problem) => {
    expect(() => new HttpAnswerParser().push(Buffer.from(text))).toThrow(problem);
  });
});

describe("unix http", () => {
  test("an answer comes although the server does not read the request to its end", async () => {
    const http = await serving((socket) => socket.end(answer("no")));

    expect(await http.post("/", "x".repeat(10_000_000))).toEqual({ status: 200, body: "no" });
  });

  test("a connection that ends before the answer is a failure", async () => {
    const http = await serving((socket) => socket.end("HTTP/1.1 200 OK\r\n"));

    await expect(http.post("/", "{}")).rejects.toThrow("the connection ended in the middle of the answer");
  });

  test("nobody at the address is a failure with the code of the OS", async () => {
    await expect(unixHttp("/nonexistent/socket").post("/", "{}")).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("a stream is lines, whole ones, to its end", async () => {
    const http = await serving((socket) => socket.end(`${chunked("a\nb", "c\n", "\n")}0\r\n\r\n`));
    const { lines } = await http.stream("/", "{}");

    const all = [await lines.next(), await lines.next(), await lines.next(), await lines.next()];

    expect(all.map(({ value }) => value as unknown)).toEqual(["a", "bc", "", undefined]);
  });

  test("a stream that is cut off is a failure after what came", async () => {
    const http = await serving((socket) => socket.end(chunked("a\n")));
    const { lines } = await http.stream("/", "{}");

    expect(await lines.next()).toEqual({ value: "a", done: false });
    await expect(lines.next()).rejects.toThrow("the connection ended in the middle of the answer");
  });

  test("a stream that is left closes its connection, also while a line is awaited", async () => {
    let isClosed = false;
    const http = await serving((socket) => {
      socket.on("close", () => (isClosed = true));
      socket.write(chunked("a\n"));
    });
    const { lines } = await http.stream("/", "{}");
    await lines.next();
    const next = lines.next();

    await lines.return!();

    expect(await next).toEqual({ value: undefined, done: true });
    await expect.poll(() => isClosed).toBe(true);
  });

  test("a stream that is not read holds its server at linesMax lines", async () => {
    let written = 0;
    const lines = linesMax * 100;
    const http = await serving((socket) => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      const write = (): void => {
        while (written < lines && socket.write(`${String(written).padEnd(999)}\n`)) written += 1;
        if (written < lines) socket.once("drain", write);
        else socket.end();
      };
      write();
    });
    const stream = await http.stream("/", "{}");
    const first = await stream.lines.next();

    expect(written).toBeLessThan(lines);
    expect(first.value).toMatch(/^0 +$/);
    let taken = 1;
    while ((await stream.lines.next()).done !== true) taken += 1;
    expect(taken).toBeGreaterThanOrEqual(lines);
  });
});
