/** Port holder: real listeners in this OS process and in a child. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { needsLinux } from "../../test/debian.ts";
import { assertPortFree, PortInUseError, portHolder } from "./port-holder.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function listen(host: string): Promise<{ port: number; server: Server }> {
  const server = createServer().listen(0, host);
  cleanUps.push(() => server.close());
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, server };
}

async function freePort(): Promise<number> {
  const { port, server } = await listen("127.0.0.1");
  server.close();
  await once(server, "close");
  return port;
}

describe("port holder: a port that is free", () => {
  test("nobody holds it and it can be used, again and again", async () => {
    const port = await freePort();

    expect(await portHolder(port)).toBeUndefined();
    await assertPortFree(port, "127.0.0.1");
    await assertPortFree(port, "127.0.0.1");
  });
});

needsLinux().describe("port holder: a port that is taken", () => {
  for (const host of ["127.0.0.1", "::"]) {
    test(`the holder on ${host} is found`, async () => {
      const { port } = await listen(host);

      const holder = await portHolder(port);

      expect(holder?.pid).toBe(process.pid);
      expect(holder?.command).toContain("node");
    });
  }

  test("the error names another OS process with its command line and pid", async () => {
    const script = `const server = require("net").createServer().listen(0, "127.0.0.1", () => console.log(server.address().port));`;
    const child = spawn(process.execPath, ["-e", script, "the-shop"], { stdio: ["ignore", "pipe", "inherit"] });
    cleanUps.push(async () => {
      child.kill("SIGKILL");
      await once(child, "exit");
    });
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const port = Number(line.toString());

    const error: unknown = await assertPortFree(port, "127.0.0.1").catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(PortInUseError);
    expect((error as PortInUseError).holder?.pid).toBe(child.pid);
    expect((error as PortInUseError).message).toMatch(
      new RegExp(
        `^port ${port} on 127\\.0\\.0\\.1 is already in use by .*node.* -e const server.* \\(pid ${child.pid}\\)$`,
      ),
    );
  });

  test("a listener on all addresses holds the port of each", async () => {
    const { port } = await listen("0.0.0.0");

    await expect(assertPortFree(port, "127.0.0.1")).rejects.toThrow(`port ${port} on 127.0.0.1 is already in use by `);
  });

  test("an address that is not this machine's is a sentence of its own", async () => {
    await expect(assertPortFree(8_080, "192.0.2.1")).rejects.toThrow(
      "port 8080 on 192.0.2.1 cannot be used: EADDRNOTAVAIL",
    );
  });
});
