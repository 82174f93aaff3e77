import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { test } from "../../../test/system/folder.ts";
import { datagramBytesMax, NotifySockets } from "./notify-sockets.ts";

const sender = `use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0); send($s, $ARGV[1], 0, sockaddr_un($ARGV[0])) or exit 1`;

test("each socket has its own messages, cut at a limit, until it is closed", async ({ folder }) => {
  const sockets = new NotifySockets();
  const [one, two] = [join(folder, "one"), join(folder, "with a space and é")];
  const received: string[] = [];
  let heard = (): void => {};
  const next = (): Promise<void> => new Promise((resolve) => (heard = resolve));
  const take = (name: string) => (datagram: string) => {
    received.push(`${name} ${datagram}`);
    heard();
  };
  const closeOne = await sockets.bind(one, take("one"));
  await sockets.bind(two, take("two"));
  for (const [path, text] of [
    [one, "READY=1"],
    [two, "STATUS=é\nX=1"],
    [two, "x".repeat(datagramBytesMax + 1)],
  ] as const) {
    const message = next();
    expect(spawnSync("perl", ["-e", sender, path, text]).status).toBe(0);
    await message;
  }
  expect(received).toEqual(["one READY=1", "two STATUS=é\nX=1", `two ${"x".repeat(datagramBytesMax)}`]);
  closeOne();
  // The answer to the next command comes after the socket was removed.
  await sockets.bind(join(folder, "three"), take("three"));
  expect(existsSync(one)).toBe(false);
  sockets.close();
});

test("a socket can be bound after the last one was closed", async ({ folder }) => {
  const sockets = new NotifySockets();
  for (let time = 1; time <= 3; time++) (await sockets.bind(join(folder, "socket"), () => {}))();
  sockets.close();
});

test("a path that cannot be bound is refused with a sentence", async ({ folder }) => {
  const sockets = new NotifySockets();
  const path = join(folder, "absent", "socket");
  await expect(sockets.bind(path, () => {})).rejects.toThrow(`the notify socket ${path} cannot be bound: No such file`);
});

test("a machine without perl is told what is missing", async ({ folder }) => {
  const before = process.env["PATH"];
  process.env["PATH"] = folder;
  try {
    const bound = new NotifySockets().bind(join(folder, "socket"), () => {});
    await expect(bound).rejects.toThrow("that takes perl, which is not installed (Debian: perl-base)");
  } finally {
    process.env["PATH"] = before;
  }
});
