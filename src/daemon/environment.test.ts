import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { SecretConfig, ServicePlan } from "../control/config.ts";
import {
  captureBaseEnv,
  defaultPath,
  EnvironmentError,
  envFileMaxBytes,
  environmentOf,
  secretMaxBytes,
} from "./environment.ts";

/** Stands in every value; in no message. */
const value = "hunter2";

type Plan = Parameters<typeof environmentOf>[0];

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "colos-environment-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function fileWith(text: string | Buffer, mode = 0o600): string {
  const path = join(temporaryFolder(), "file");
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function plan(parts: Partial<Plan>): Plan {
  return { name: "web", env: {}, envFiles: [], secrets: {}, cwd: tmpdir(), ...parts } satisfies Partial<ServicePlan>;
}

const base = { PATH: process.env["PATH"]! };

async function problemOf(parts: Partial<Plan>, ownEnv = {}): Promise<string> {
  const error: unknown = await environmentOf(plan(parts), 1, base, { ownEnv }).then(
    () => new Error("it has an environment"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EnvironmentError);
  expect((error as Error).message).not.toContain(value);
  expect(JSON.stringify(error)).not.toContain(value);
  return (error as Error).message;
}

const secretOf = (secret: SecretConfig): Partial<Plan> => ({ secrets: { KEY: secret } });
const sh = (script: string): SecretConfig => ({ exec: ["/bin/sh", "-c", script] });

describe("environment: captured", () => {
  test("what is on the list is taken, everything else is left", () => {
    const env = {
      PATH: "/bin",
      LC_ALL: "C",
      XDG_RUNTIME_DIR: "/run/user/1",
      AWS_SECRET_ACCESS_KEY: value,
      TZ: undefined,
    };

    expect(captureBaseEnv(env)).toEqual({ PATH: "/bin", LC_ALL: "C", XDG_RUNTIME_DIR: "/run/user/1" });
  });

  test("there is always a PATH", () => {
    expect(captureBaseEnv({})).toEqual({ PATH: defaultPath });
  });
});

describe("environment: order", () => {
  test("base, COLOS_…, env files, secrets, env; later ones win and null removes", async () => {
    const files = [fileWith("A=file1\nB=file1\nC=file1\nD=file1"), fileWith("B=file2\nC=file2\nD=file2\n")];
    const secrets = { C: { env: "OWN" }, D: { env: "OWN" } };
    const env = { D: "env", GONE: null };

    const found = await environmentOf(
      plan({ envFiles: files, secrets, env }),
      2,
      { A: "base", GONE: "base", Z: "base" },
      {
        ownEnv: { OWN: "secret" },
      },
    );

    expect(found).toEqual({
      Z: "base",
      COLOS_SERVICE: "web",
      COLOS_INSTANCE: "2",
      A: "file1",
      B: "file2",
      C: "secret",
      D: "env",
    });
  });

  test("another user gets its own HOME, USER, LOGNAME and SHELL", async () => {
    const found = await environmentOf(plan({ user: "nobody", env: { SHELL: "/x" } }), 1, {
      HOME: "/root",
      USER: "root",
    });

    expect(found).toMatchObject({ USER: "nobody", LOGNAME: "nobody", SHELL: "/x" });
    expect(found["HOME"]).not.toBe("/root");
  });
});

describe("environment: secrets", () => {
  test.each<[string, () => SecretConfig, string]>([
    ["a file, without its last line end", () => ({ file: fileWith(`${value}\r\n`) }), value],
    ["a file of several lines", () => ({ file: fileWith(`${value}\nmore\n\n`) }), `${value}\nmore\n`],
    ["a variable of the daemon", () => ({ env: "OWN" }), value],
    ["the output of a command", () => sh(`echo ${value}`), value],
    [
      "as many bytes as are allowed",
      () => ({ file: fileWith("x".repeat(secretMaxBytes)) }),
      "x".repeat(secretMaxBytes),
    ],
  ])("%s", async (_, secret, expected) => {
    const found = await environmentOf(plan(secretOf(secret())), 1, base, { ownEnv: { OWN: value } });

    expect(found["KEY"]).toBe(expected);
  });

  test("it is read anew at each start", async () => {
    const file = fileWith("one");
    const read = async () => (await environmentOf(plan(secretOf({ file })), 1, base))["KEY"];

    const before = await read();
    writeFileSync(file, "two");

    expect([before, await read()]).toEqual(["one", "two"]);
  });

  test("a file that everybody can read is a warning", async () => {
    const warnings: string[] = [];
    const options = { warn: (sentence: string) => void warnings.push(sentence) };
    const file = fileWith(value, 0o644);

    await environmentOf(plan(secretOf({ file })), 1, base, options);
    await environmentOf(plan(secretOf({ file: fileWith(value, 0o640) })), 1, base, options);

    expect(warnings).toEqual([`service web: the secret KEY can be read by every user in ${file}; chmod o-rwx ${file}`]);
  });

  const about = "service web: the secret KEY";
  const byHand = "; run it by hand to see more";
  test.each<[string, () => SecretConfig, RegExp | string]>([
    [
      "a file that is not there",
      () => ({ file: "/not/there" }),
      `${about} in /not/there cannot be read: there is no such file`,
    ],
    ["a folder", () => ({ file: "/tmp" }), `${about} in /tmp cannot be read: it is not a file`],
    ["an empty file", () => ({ file: fileWith("\n") }), /^service web: the secret KEY is empty in \/.*\/file$/],
    [
      "one byte too many",
      () => ({ file: fileWith(value + "x".repeat(secretMaxBytes - 6)) }),
      /has more than 65536 bytes$/,
    ],
    ["no text", () => ({ file: fileWith(Buffer.from([...Buffer.from(value), 0xff])) }), /it is no UTF-8 text$/],
    ["NUL", () => ({ file: fileWith(`${value}\0`) }), "service web: the variable KEY has a NUL character"],
    [
      "a variable that is not there",
      () => ({ env: "NOT_THERE" }),
      `${about} is not there: the daemon has no variable NOT_THERE; set it and start the daemon anew`,
    ],
    [
      "a command that fails, whatever it writes",
      () => sh(`echo ${value}; echo ${value} >&2; exit 4`),
      `${about} is not there: the command /bin/sh failed: exit code 4${byHand}`,
    ],
    [
      "a command that cannot be started",
      () => ({ exec: ["/not/there", value] }),
      `${about} is not there: the command /not/there failed: it cannot be started in ${tmpdir()}: ENOENT${byHand}`,
    ],
    ["a command that writes nothing", () => sh("true"), `${about} is empty in the output of /bin/sh`],
    [
      "a command that writes without end",
      () => sh(`yes ${value}`),
      `${about} is not there: the command /bin/sh failed: it wrote more than 65536 bytes${byHand}`,
    ],
  ])("%s is refused in one sentence without the value", async (_, secret, problem) => {
    expect(await problemOf(secretOf(secret()))).toMatch(problem);
  });

  test("a FIFO is not waited for", async () => {
    const path = join(temporaryFolder(), "fifo");
    execFileSync("mkfifo", [path]);

    expect(await problemOf(secretOf({ file: path }))).toBe(`${about} in ${path} cannot be read: it is not a file`);
  });

  test("a command that could not fork is colos's own trouble, and what it said is not repeated", async () => {
    const secret = secretOf(sh(`echo '${value}: Cannot fork' >&2; exit 2`));
    const error = await environmentOf(plan(secret), 1, base).catch((refused: unknown) => refused);
    expect(error).toMatchObject({ isOwnTrouble: true, message: expect.not.stringContaining(value) as string });
  });

  test("a stop ends the command of a secret", async () => {
    const signal = AbortSignal.abort();

    await expect(environmentOf(plan(secretOf(sh("exec sleep 1000"))), 1, base, { signal })).rejects.toThrow(
      "it was stopped",
    );
  });
});

describe("environment: blame", () => {
  test("a shortage of colos itself is told from a fault of the config", () => {
    expect(
      ["EMFILE", "EAGAIN", "ENOENT", undefined].map((code) => new EnvironmentError("", code).isOwnTrouble),
    ).toEqual([true, true, false, false]);
  });
});

describe("environment: env files", () => {
  test("a wrong line is named by its number, never repeated", async () => {
    const file = fileWith(`A=1\n# comment\n${value}\n`);

    expect(await problemOf({ envFiles: [file] })).toContain(
      `service web: the env file ${file} cannot be used: line 3: `,
    );
    expect(await problemOf({ envFiles: [fileWith(`A='${value}`)] })).toContain("line 1: ");
  });

  test("a file may refer to what comes before it", async () => {
    const envFiles = [fileWith("HOST=db"), fileWith('URL="http://${HOST}/${COLOS_SERVICE}"')];

    expect((await environmentOf(plan({ envFiles }), 1, base))["URL"]).toBe("http://db/web");
  });

  test("a file that is absent or too long is refused", async () => {
    const long = fileWith(`A=${"x".repeat(envFileMaxBytes)}`);

    expect(await problemOf({ envFiles: ["/not/there"] })).toBe(
      "service web: the env file /not/there cannot be read: there is no such file",
    );
    expect(await problemOf({ envFiles: [long] })).toContain("it has more than 1048576 bytes");
  });
});
