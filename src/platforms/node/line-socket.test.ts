import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { answerBytesMax, askLine, connectionsMax, questionBytesMax, serveLines } from "./line-socket.ts";

const never = new Promise<never>(() => {});
const timeoutMs = 20_000;
let folder: string;
let path: string;
let server: Server | undefined;
const clients: Socket[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "colos-line-"));
  path = join(folder, "socket");
});

afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  server?.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

const open = async (answer: (question: unknown) => Promise<unknown>): Promise<void> => {
  server = await serveLines(path, answer);
};

test("a question is answered, over a socket of this user alone, where a file was", async () => {
  writeFileSync(path, "script\n");
  await open(async (question) => ({ question }));

  expect(await askLine(path, { a: ["ü\n"] }, { timeoutMs })).toEqual({ question: { a: ["ü\n"] } });
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("nobody there is an error with the OS's code", async () => {
  await expect(askLine(path, 1, { timeoutMs })).rejects.toMatchObject({ code: "ENOENT" });
});

test("without an answer the wait ends in time, and when it is aborted", async () => {
  await open(() => never);
  const end = new AbortController();
  const asked = askLine(path, 1, { timeoutMs, signal: end.signal });
  end.abort(new Error("enough"));

  await expect(asked).rejects.toThrow("enough");
  await expect(askLine(path, 1, { timeoutMs: 20 })).rejects.toThrow("no answer within 20 ms");
});

test("who cannot answer closes the connection", async () => {
  await open(async () => Promise.reject(new Error("no")));
  await expect(askLine(path, 1, { timeoutMs })).rejects.toThrow("closed without an answer");
});

test("what is no JSON is not answered", async () => {
  await open(async () => 1);
  const client = connect(path);
  clients.push(client);
  client.write("{\n");
  await once(client, "close");
  expect(client.bytesRead).toBe(0);
});

test("a question has at most questionBytesMax bytes", async () => {
  await open(async (question) => String(question).length);
  const text = (bytes: number): string => "x".repeat(bytes - '""'.length);

  expect(await askLine(path, text(questionBytesMax), { timeoutMs })).toBe(questionBytesMax - 2);
  await expect(askLine(path, text(questionBytesMax + 1), { timeoutMs })).rejects.toMatchObject({
    code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) as string,
  });
});

test("an answer has at most answerBytesMax bytes", async () => {
  await open(async (bytes) => "x".repeat(Number(bytes) - '""'.length));

  expect(await askLine(path, answerBytesMax, { timeoutMs })).toHaveLength(answerBytesMax - 2);
  await expect(askLine(path, answerBytesMax + 1, { timeoutMs })).rejects.toMatchObject({ code: "ECONNRESET" });
});

test("connectionsMax are served at once, the next is turned away", async () => {
  await open(() => never);
  for (let count = 0; count < connectionsMax; count += 1) {
    const client = connect(path);
    clients.push(client);
    await once(client, "connect");
  }
  await expect(askLine(path, 1, { timeoutMs })).rejects.toMatchObject({
    code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) as string,
  });
});

test("a closed server leaves no file", async () => {
  await open(async () => 1);
  server!.close();
  await once(server!, "close");
  expect(existsSync(path)).toBe(false);
});
