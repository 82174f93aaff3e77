/** `colos run` as a person meets it: it stands in the place of its program, and adds only supervision. */
import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import { needsLinux } from "./debian.ts";
import { childrenOf } from "./system/os-processes.ts";
import { test } from "./system/place.ts";

/** Obeys no SIGTERM. */
const deaf = "trap '' TERM; echo up; while :; do sleep 1000; done";
/** A program that says `up`, and does this at SIGTERM. A shell runs a trap only between two commands. */
const atTerm = (action: string): string[] => [
  process.execPath,
  "-e",
  `process.on("SIGTERM", () => { ${action} }); setInterval(() => {}, 1000); console.log("up");`,
];

const linux = needsLinux();

linux.describe("colos run: exit code", () => {
  for (const [script, code] of [
    ["exit 0", 0],
    ["exit 7", 7],
    ["kill -9 $$", 137],
    ["kill -15 $$", 143],
  ] as const) {
    test(`is ${code} when the command does ${script}, and nothing is said`, async ({ place }) => {
      const colos = place.colos(["run", "sh", "-c", script]);

      expect(await colos.ended).toEqual({ code, signal: null });
      expect(colos.stderr).toBe("");
    });
  }
});

linux.describe("colos run: what passes through", () => {
  test("bytes on both streams, unmodified", async ({ place }) => {
    const bytes = randomBytes(300_000);
    const colos = place.colos(["run", "sh", "-c", "tee copy; cat copy >&2"], { stdin: "pipe" });

    colos.stdin.end(bytes);

    expect(await colos.ended).toEqual({ code: 0, signal: null });
    expect(colos.bytes("stdout").equals(bytes)).toBe(true);
    expect(colos.bytes("stderr").equals(bytes)).toBe(true);
  });

  test("standard input, and its end", async ({ place }) => {
    const colos = place.colos(["run", "wc", "-c"], { stdin: "pipe" });

    colos.stdin.end("12345");

    expect(await colos.ended).toEqual({ code: 0, signal: null });
    expect(colos.stdout.trim()).toBe("5");
  });

  test("arguments after the program, whatever they look like", async ({ place }) => {
    const args = ["--port", "80", "--help", "-x", "--", "", "two words", "$HOME", "*"];
    const colos = place.colos(["run", "--name", "show", "printf", "[%s]", ...args]);

    expect(await colos.ended).toEqual({ code: 0, signal: null });
    expect(colos.stdout).toBe(args.map((arg) => `[${arg}]`).join(""));
  });

  test("--env and --cwd, and the name that --name gives", async ({ place }) => {
    place.write("data/file", "");
    const options = ["--env", "A=1", "--env", "B=x=y", "--cwd", "data", "--name", "job"];
    const colos = place.colos(["run", ...options, "sh", "-c", 'echo "$A $B $COLOS_SERVICE $(pwd)"']);

    expect(await colos.ended).toEqual({ code: 0, signal: null });
    expect(colos.stdout).toBe(`1 x=y job ${place.folder}/data\n`);
  });
});

linux.describe("colos run: Ctrl+C", () => {
  test("is SIGTERM to the program, whose own exit code counts", async ({ place }) => {
    const colos = place.colos(["run", ...atTerm('console.log("bye"); process.exit(5);')]);
    await colos.line(/^up$/);

    expect(await colos.stop()).toEqual({ code: 5, signal: null });
    expect(colos.stdout).toBe("up\nbye\n");
    expect(colos.stderr).toBe("");
  });

  test("gives 143 when the program leaves it at SIGTERM", async ({ place }) => {
    const colos = place.colos(["run", "sh", "-c", "echo up; exec sleep 1000"]);
    await colos.line(/^up$/);

    expect(await colos.stop()).toEqual({ code: 143, signal: null });
  });

  test("a second time ends at once what ignores SIGTERM", async ({ place }) => {
    const colos = place.colos(["run", "--shutdown", "infinity", ...atTerm('console.log("no");')]);
    await colos.line(/^up$/);
    colos.signal("SIGINT");
    await colos.line(/^no$/);

    colos.signal("SIGTERM");

    expect(await colos.ended).toEqual({ code: 143, signal: null });
  });

  test("after --shutdown milliseconds it is SIGKILL", async ({ place }) => {
    const colos = place.colos(["run", "--shutdown", "50", "sh", "-c", deaf]);
    await colos.line(/^up$/);

    expect(await colos.stop()).toEqual({ code: 137, signal: null });
  });
});

linux.describe("colos run: --restart", () => {
  test("permanent starts it again whenever it ends, until Ctrl+C", async ({ place }) => {
    const script = 'echo x >>runs; n=$(wc -l <runs); if test "$n" = 3; then echo third; exec sleep 1000; fi; exit $n';
    const colos = place.colos(["run", "--name", "job", "--restart", "permanent", "sh", "-c", script]);
    await colos.line(/^third$/);

    expect(await colos.stop()).toEqual({ code: 143, signal: null });
    expect(colos.lines("stderr")).toEqual([
      expect.stringMatching(/^colos: job is restarted: exit code 1; restarts in \d+ ms$/),
      expect.stringMatching(/^colos: job is restarted: exit code 2; restarts in \d+ ms$/),
    ]);
  });

  test("transient leaves it at a good end", async ({ place }) => {
    const script = "if test -e done; then exit 0; fi; touch done; exit 5";
    const colos = place.colos(["run", "--restart", "transient", "sh", "-c", script]);

    expect(await colos.ended).toEqual({ code: 0, signal: null });
    expect(colos.lines("stderr")).toHaveLength(1);
  });

  test("nothing is left when colos is stopped before the program runs", async ({ place }) => {
    const colos = place.colos(["run", "--restart", "permanent", "sh", "-c", "echo up; exec sleep 1000"]);
    await colos.line(/^up$/);
    const [program] = childrenOf(colos.pid);
    process.kill(program!.pid, "SIGKILL");
    await colos.line(/is restarted: ended by SIGKILL/);

    expect(await colos.stop()).toEqual({ code: 137, signal: null });
    expect(colos.lines()).toEqual(["up"]);
  });
});

const typed = `const words: readonly string[] = process.argv.slice(2);
process.stdout.write(\`\${words.join("|")} \${process.env["WORD"]}\\n\`);
`;

linux.describe("colos run: programs", () => {
  for (const carrier of ["os-process", "thread"] as const) {
    for (const file of ["main.ts", "main.mjs"]) {
      test(`${file} runs on ${carrier} with its arguments and environment`, async ({ place }) => {
        place.write(file, file.endsWith(".ts") ? typed : typed.replace(": readonly string[]", ""));
        const colos = place.colos(["run", "--carrier", carrier, "--env", "WORD=yes", file, "--port", "80"]);

        expect(await colos.ended).toEqual({ code: 0, signal: null });
        expect(colos.stdout).toBe("--port|80 yes\n");
        expect(colos.stderr).toBe("");
      });
    }

    test(`the exit code of a script on ${carrier} is that of colos`, async ({ place }) => {
      place.write("main.ts", "setTimeout(() => process.exit(7), 1);");
      const colos = place.colos(["run", "--carrier", carrier, "main.ts"]);

      expect(await colos.ended).toEqual({ code: 7, signal: null });
    });

    test(`Ctrl+C ends a program on ${carrier} that loops for ever`, async ({ place }) => {
      place.write("main.ts", 'process.stdout.write("up\\n", () => { for (;;); });');
      const colos = place.colos(["run", "--carrier", carrier, "--shutdown", "100", "main.ts"]);
      await colos.line(/^up$/);

      const { signal } = await colos.stop();

      expect(signal).toBeNull();
    });
  }

  test("an os-process reads the standard input", async ({ place }) => {
    place.write(
      "main.ts",
      "for await (const chunk of process.stdin) process.stdout.write(String(chunk).toUpperCase());",
    );
    const colos = place.colos(["run", "main.ts"], { stdin: "pipe" });

    colos.stdin.end("word");

    expect(await colos.ended).toEqual({ code: 0, signal: null });
    expect(colos.stdout).toBe("WORD");
  });

  test("a program may end as soon as it has written", async ({ place }) => {
    place.write("main.ts", 'process.stdout.write("x".repeat(200_000) + "\\n");');
    const colos = place.colos(["run", "main.ts"]);

    expect(await colos.ended).toEqual({ code: 0, signal: null });
    expect(colos.stdout).toHaveLength(200_001);
  });
});
