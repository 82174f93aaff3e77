import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { FakeHost } from "../../../test/fake-cli-host.ts";
import { runCli } from "../main.ts";

/** A host in a folder with a config. */
function hostWith(config: string): FakeHost {
  const host = new FakeHost();
  host.cwd = mkdtempSync(join(tmpdir(), "colos-startup-verb-"));
  onTestFinished(() => rmSync(host.cwd, { recursive: true }));
  writeFileSync(join(host.cwd, "colos.config.json"), config);
  host.env = { PATH: "/bin", HOME: "/home/ada", SECRET: "x" };
  return host;
}

function colos(line: string, host: FakeHost): Promise<number> {
  return runCli(line.split(" "), host);
}

const sound = '{ "services": { "web": { "command": ["sleep", "1"] } } }';

describe("colos startup", () => {
  test("shows what is for this user, with the config by its whole path and no secrets", async () => {
    const host = hostWith(sound);

    expect(await colos("startup", host)).toBe(0);

    expect(host.startups).toEqual([
      {
        action: "show",
        scope: "user",
        name: "colos",
        home: "/home/ada/.local/state/colos",
        config: join(host.cwd, "colos.config.json"),
        env: { PATH: "/bin", HOME: "/home/ada" },
      },
    ]);
    expect(host.stdout.text).toBe("show colos\n");
  });

  test("for the machine, another user's home is not this one's", async () => {
    const host = hostWith(sound);
    host.userId = 0;

    expect(await colos("startup --write --run-as ann --name shop --system openrc", host)).toBe(0);

    expect(host.startups).toMatchObject([
      { action: "write", scope: "system", system: "openrc", name: "shop", user: "ann", home: "/var/lib/colos" },
    ]);
    expect(host.startups[0]!.env).toEqual({ PATH: "/bin" });
  });

  test("a config that is wrong is refused, since it would be at every boot", async () => {
    const host = hostWith('{ "services": 3 }');

    expect(await colos("startup --write", host)).toBe(2);
    expect(host.startups).toEqual([]);
  });

  test("taking it away needs no config", async () => {
    const host = hostWith("not even JSON");

    expect(await colos("startup --remove --quiet", host)).toBe(0);
    expect(host.startups).toMatchObject([{ action: "remove", config: "" }]);
    expect(host.stdout.text).toBe("");
  });

  for (const words of ["--write --remove", "--user --run-as ann", "--system upstart"]) {
    test(`${words} is refused before anything is done`, async () => {
      const host = hostWith(sound);

      expect(await colos(`startup ${words}`, host)).toBe(2);
      expect(host.startups).toEqual([]);
    });
  }

  test("what went wrong is a sentence", async () => {
    const host = hostWith(sound);
    host.startup = () => Promise.reject(new Error("cannot write /etc/x: you may not"));

    expect(await colos("startup --write", host)).toBe(1);
    expect(host.stderr.text).toBe("colos: cannot write /etc/x: you may not\n");
  });
});
