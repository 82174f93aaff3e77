import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import { needsLinux } from "../../test/debian.ts";
import { FakeClock } from "../../test/fake-cli-host.ts";
import { nameDaemon, nameRetryMs } from "./daemon-name.ts";
import { homeAt, type Home } from "./home.ts";
import { identityOf, identityOfLines } from "./os-identity.ts";

const linux = needsLinux();
let home: Home;
const problems: string[] = [];
const named = (): unknown => identityOfLines(readFileSync(home.daemon, "utf8"));

beforeEach(() => {
  problems.length = 0;
  home = homeAt(mkdtempSync(join(tmpdir(), "colos-name-")));
});

afterEach(() => rmSync(home.root, { recursive: true }));

/** Nothing new can be written, as on a full disk. */
function fillDisk(): void {
  mkdirSync(`${home.daemon}.new`);
}

linux.describe("nameDaemon", () => {
  linux.test("replaces what an earlier daemon has written", () => {
    writeFileSync(home.daemon, "1\n1\nlonger than what follows, whatever that may be, and then some more text\n");
    const before = statSync(home.daemon).ino;

    nameDaemon(home, "0.1.0", new FakeClock(), (problem) => problems.push(problem));

    expect(named()).toEqual(identityOf(process.pid));
    expect(statSync(home.daemon).ino).not.toBe(before);
  });

  linux.test("writes over what is there when nothing new can be written", () => {
    writeFileSync(home.daemon, `${"x".repeat(200)}\n`);
    const before = statSync(home.daemon).ino;
    fillDisk();

    nameDaemon(home, "0.1.0", new FakeClock(), (problem) => problems.push(problem));

    expect(named()).toEqual(identityOf(process.pid));
    expect(readFileSync(home.daemon, "utf8")).toMatch(/\n0\.1\.0\n$/);
    expect(statSync(home.daemon).ino).toBe(before);
  });

  linux.test("says once that it cannot be written at all, and tries again", () => {
    const clock = new FakeClock();
    fillDisk();

    nameDaemon(home, "0.1.0", clock, (problem) => problems.push(problem));
    expect(problems).toEqual([expect.stringContaining("cannot be written, and is tried again")]);
    clock.advance(nameRetryMs);

    expect(named()).toEqual(identityOf(process.pid));
    expect(problems).toHaveLength(1);
  });
});
