import { describe, expect, test } from "vitest";
import { FakeHost, instance } from "../../../test/fake-cli-host.ts";
import { FakeDaemon } from "../../../test/fake-daemon.ts";
import { runCli } from "../main.ts";

/** A host on which the old daemon goes when it hands over, and the new one can be started. */
function hostOf(old: FakeDaemon | undefined): FakeHost {
  const host = new FakeHost();
  host.manager = old;
  host.startable = new FakeDaemon(instance("web"));
  return host;
}

describe("colos update", () => {
  test("the old daemon hands over, and the new one is started once it has ended", async () => {
    const old = new FakeDaemon(instance("web"));
    const host = hostOf(old);

    expect(await runCli(["update"], host)).toBe(0);

    expect(old.asked.map(([operation]) => operation)).toEqual(["list", "handOver"]);
    expect(host.endsAwaited).toEqual([99]);
    expect(host.manager).toBe(host.startable);
    expect(host.stdout.text).toBe(
      "colos: daemon 1.2.3 (OS process 99) → 1.2.3 (OS process 99); no service was touched\n",
    );
  });

  test("a home that the new version cannot read is refused, and the old daemon is not asked to go", async () => {
    const old = new FakeDaemon(instance("web"));
    const host = hostOf(old);
    host.homeProblem = "journal was written by a newer colos";

    expect(await runCli(["update"], host)).toBe(1);

    expect(old.asked).toEqual([]);
    expect(host.stderr.text).toBe("colos: journal was written by a newer colos\n");
  });

  test("without a daemon one is started", async () => {
    const host = hostOf(undefined);

    expect(await runCli(["update"], host)).toBe(0);

    expect(host.endsAwaited).toEqual([undefined]);
    const json = hostOf(undefined);
    expect(await runCli(["update", "--json"], json)).toBe(0);
    expect(JSON.parse(json.stdout.text)).toMatchObject({ before: null, after: { version: expect.any(String) } });
    expect(host.stdout.text).toBe("colos: no daemon was running; one of 1.2.3 was started\n");
  });

  test("a new daemon that does not come is told", async () => {
    const host = hostOf(new FakeDaemon(instance("web")));
    host.startable = undefined;

    expect(await runCli(["update"], host)).toBe(1);
    expect(host.stderr.text).toBe("colos: a daemon cannot be started here\n  | no space left\n");
  });
});
