/** Names, patterns and tags on a real daemon: they mean the same to the command line, to a plain request and to a typed client. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { managerClient } from "../src/control/manager-client.ts";
import { unixHttp } from "../src/platforms/node/unix-http.ts";
import { needsLinux } from "./debian.ts";
import { test, type DaemonPlace } from "./system/daemon-place.ts";

const linux = needsLinux();
const staying = { command: ["sh", "-c", "echo up; exec sleep 1000"], ready: { log: "up" } };

async function upThree(place: DaemonPlace): Promise<void> {
  place.config({
    web: { ...staying, instances: 2 },
    api: { ...staying, tags: "back" },
    db: { ...staying, tags: "back" },
  });
  expect(await place.colos("up")).toMatchObject({ code: 0 });
}

async function osPids(place: DaemonPlace): Promise<Readonly<Record<string, number>>> {
  const { instances } = JSON.parse((await place.colos("ps", "--json")).stdout) as {
    instances: readonly { readonly name: string; readonly osPid?: number }[];
  };
  return Object.fromEntries(instances.map(({ name, osPid = 0 }) => [name, osPid]));
}

/** Whose OS process is another one. */
function changed(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>): string[] {
  return Object.keys(before).filter((name) => before[name] !== after[name]);
}

linux.describe("names", () => {
  test("mean the same to every face", async ({ place }) => {
    await upThree(place);
    const first = await osPids(place);

    expect(await place.colos("restart", "*.2", "--quiet")).toEqual({ code: 0, stdout: "", stderr: "" });
    const second = await osPids(place);
    expect(changed(first, second)).toEqual(["web.2"]);

    const transport = unixHttp(place.home.controlSocket);
    const answer = await transport.post("/v1/services/restart", JSON.stringify({ names: ["@back"] }));
    expect(answer.status).toBe(200);
    const third = await osPids(place);
    expect(changed(second, third)).toEqual(["api", "db"]);

    const manager = managerClient(transport);
    expect((await manager.restart({ names: ["?b", "w*"] })).problems).toEqual([]);
    expect(changed(third, await osPids(place))).toEqual(["web", "web.2", "db"]);
  });

  test("that mean nobody are refused, and nothing happens", async ({ place }) => {
    await upThree(place);
    const before = await osPids(place);

    const { code, stdout, stderr } = await place.colos("stop", "web", "@bakc");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toBe('colos: no service has the tag "bakc"; did you mean "@back"?\n');
    expect((await place.colos("restart", "x*")).stderr).toBe(
      'colos: no service matches "x*"; there are web, api, db\n',
    );
    expect(changed(before, await osPids(place))).toEqual([]);
  });

  test("narrow what is shown, and a check of it answers by its exit code", async ({ place }) => {
    await upThree(place);

    expect((await place.colos("ps", "-q", "@back")).stdout).toBe("api\ndb\n");
    expect((await place.colos("logs", "-q", "@back", "w*.2")).stdout).toBe("up\nup\nup\n");
    expect((await place.colos("ps", "--tags")).stdout).toBe("@back  api, db\n");
    expect(await place.colos("ps", "--check", "-q")).toEqual({ code: 0, stdout: "", stderr: "" });

    await place.colos("stop", "api");
    expect(await place.colos("ps", "--check", "-q")).toMatchObject({ code: 1, stdout: "" });
    expect((await place.colos("ps", "--check", "-q", "@back")).stderr).toMatch(
      /^colos: api is stopped: somebody stopped it\n/,
    );
    expect(await place.colos("ps", "--check", "-q", "w*")).toMatchObject({ code: 0 });
  });

  test("a tag that the config gives counts at once, and restarts nobody", async ({ place }) => {
    await upThree(place);
    const before = await osPids(place);

    place.config({ web: { ...staying, instances: 2, tags: ["front", "back"] }, api: staying, db: staying });
    expect((await place.colos("plan")).stdout).toContain("~ web");
    expect(await place.colos("up")).toMatchObject({ code: 0 });

    expect((await place.colos("ps", "-q", "@back")).stdout).toBe("web\nweb.2\n");
    expect(changed(before, await osPids(place))).toEqual([]);
  });
});

linux.describe("colos logs --clear", () => {
  test("empties the logs of what runs, of what is gone, and nothing that comes later", async ({ place }) => {
    const counting = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done";
    place.config({ web: { command: ["sh", "-c", counting], ready: { log: "1" } }, old: staying });
    await place.colos("up");
    place.config({ web: { command: ["sh", "-c", counting], ready: { log: "1" } } });
    await place.colos("up");
    expect((await place.colos("logs", "-q", "old")).stdout).toBe("up\n");
    expect((await place.colos("logs", "--gone")).stdout).toBe("old | up\n");

    const { code, stdout } = await place.colos("logs", "--clear", "web", "--yes");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^colos: gave back \S+ \S+ of web\n$/);
    const numbers = async (): Promise<number[]> =>
      (await place.colos("logs", "-q", "web")).stdout.trim().split("\n").map(Number);
    const later = await place.until(async () => {
      const seen = await numbers();
      return seen.length > 20 ? seen : undefined;
    });
    expect(later[0]).toBeGreaterThan(1);
    expect(later).toEqual(Array.from({ length: later.length }, (_, index) => later[0]! + index));

    const gone = await place.colos("logs", "--clear", "--gone", "--yes", "--json");
    expect(JSON.parse(gone.stdout)).toMatchObject({ logs: [{ name: "old", service: "old", instance: 1 }] });
    expect(existsSync(join(place.home.services, "old"))).toBe(false);
    expect(await place.colos("logs", "old")).toMatchObject({ code: 2, stdout: "" });
  });
});
