import { Buffer } from "node:buffer";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { expect } from "vitest";
import { test } from "../../../test/system/folder.ts";
import { turn } from "../../../test/system/turn.ts";
import { Forward, forwardLineBytesMax } from "./forward.ts";

test("journald is given a head and then the lines, a long one in parts", async ({ folder }) => {
  const path = join(folder, "journal");
  const received: string[] = [];
  let resolve: () => void = () => {};
  const bothEnded = new Promise<void>((done) => (resolve = done));
  const server = createServer((socket) => {
    let text = "";
    socket.setEncoding("utf8").on("data", (data: string) => (text += data));
    socket.on("end", () => {
      if (received.push(text) === 2) resolve();
    });
  });
  await new Promise<void>((listening) => void server.listen(path, listening));
  const forward = Forward.toJournald("web.1", path);
  forward.take("stdout", Buffer.from(`one\ntw`));
  forward.take("stdout", Buffer.from(`o\n${"x".repeat(forwardLineBytesMax + 1)}\n`));
  forward.take("stderr", Buffer.from("no end"));
  forward.ended("stdout");
  forward.ended("stderr");
  await bothEnded;
  server.close();
  expect(received.toSorted()).toEqual([
    "web.1\n\n3\n0\n0\n0\n0\nno end\n",
    `web.1\n\n6\n0\n0\n0\n0\none\ntwo\n${"x".repeat(forwardLineBytesMax)}\nx\n`,
  ]);
});

test("journald, which ends its own side at once, is given all that comes later too", async ({ folder }) => {
  const path = join(folder, "journal");
  let received = "";
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.end();
    socket.setEncoding("utf8").on("data", (data: string) => (received += data));
  });
  await new Promise<void>((listening) => void server.listen(path, listening));
  const forward = Forward.toJournald("web.1", path);
  while (!received.includes("web.1\n\n6\n")) await turn();
  // Another connection is answered after the end of that one has come here.
  const other = connect(path);
  await once(other.resume(), "close");

  forward.take("stdout", Buffer.from("later\n"));
  while (!received.includes("later\n")) await turn();
  forward.ended("stdout");
  forward.ended("stderr");
  server.close();
});

test("journald that is not there is refused with a sentence", ({ folder }) => {
  rmSync(join(folder, "journal"), { force: true });
  expect(() => Forward.toJournald("web.1", join(folder, "journal"))).toThrow("there is no journald here");
});
