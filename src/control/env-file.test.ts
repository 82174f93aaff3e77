import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { envFileCharactersMax, envValuesMax, envVariablesMax, parseEnvFile } from "./env-file.ts";

const parse = (text: string, env: Record<string, string> = {}) => parseEnvFile(text, { source: ".env", env });
const variablesOf = (text: string, env: Record<string, string> = {}) => {
  const result = parse(text, env);
  return "variables" in result ? result.variables : result.problems.map(({ message }) => message);
};
const problemsOf = (text: string): readonly string[] => {
  const result = parse(text);
  return "problems" in result ? result.problems.map(({ message }) => message) : [];
};

describe("env file", () => {
  test.each<[string, Record<string, string>]>([
    ["", {}],
    ["\uFEFFA=1\r\nB=2\r\n", { A: "1", B: "2" }],
    ["# A=1\n\n  \t\nA=1", { A: "1" }],
    ["export A=1\nexport\tB=2\nexporter=3", { A: "1", B: "2", exporter: "3" }],
    ["A = a b  # comment", { A: "a b" }],
    ["A=a#b", { A: "a#b" }],
    ["A=#b", { A: "" }],
    ["A=", { A: "" }],
    ["A=\nB=1", { A: "", B: "1" }],
    ["A=1\nA=2", { A: "2" }],
    ["A='a # ${B} \\n $(x)' # c", { A: "a # ${B} \\n $(x)" }],
    ["A='two\nlines'\nB=1", { A: "two\nlines", B: "1" }],
    ['A="two\nlines"\nB=1', { A: "two\nlines", B: "1" }],
    ['A="\\n\\t\\r\\"\\\\\\$\\x"', { A: '\n\t\r"\\$\\x' }],
    ['A=a"b"c', { A: 'a"b"c' }],
    ["A=pa$$word$1", { A: "pa$$word$1" }],
    ["A=a\\nb", { A: "a\\nb" }],
    ['A=1\nB=${A}0\nC="${B}0"', { A: "1", B: "10", C: "100" }],
    ['A="\\${B}"', { A: "${B}" }],
    ["A=${HOME}/x", { A: "/home/me/x" }],
    ["HOME=/\nA=${HOME}", { HOME: "/", A: "/" }],
    ["A=${NONE:-b c}\nB=${EMPTY:-}", { A: "b c", B: "" }],
    ["A=${HOME:-no}", { A: "/home/me" }],
    ["constructor=1\nA=${constructor}", { constructor: "1", A: "1" }],
    ["spring.datasource-url=x", { "spring.datasource-url": "x" }],
  ])("%j", (text, variables) => {
    expect(variablesOf(text, { HOME: "/home/me" })).toEqual(variables);
  });

  test.each<[string, string]>([
    ["A=1\nB", ".env:2: is not NAME=value, a comment or empty"],
    ["export A", ".env:1: is not NAME=value, a comment or empty"],
    ["1A=2", ".env:1: is not NAME=value, a comment or empty"],
    ["=2", ".env:1: is not NAME=value, a comment or empty"],
    ["A='\n\n", ".env:1: the value of A has no closing '; add it"],
    ['A=1\nB="x', '.env:2: the value of B has no closing "; add it'],
    ["A='a'b", ".env:1: the value of A goes on after its closing '; put all of it into quotes"],
    ["A='\n'b", ".env:2: the value of A goes on after its closing '; put all of it into quotes"],
    ["A=$(id)", ".env:1: $(…) is not executed here; put it into '…' when it is meant as text"],
    ['A="\n`id`"', ".env:2: a backtick is not executed here; put it into '…' when it is meant as text"],
    ["A=${B}", ".env:1: there is no B in an earlier line or in the environment; write ${B:-} for nothing"],
    [
      "A=${toString}",
      ".env:1: there is no toString in an earlier line or in the environment; write ${toString:-} for nothing",
    ],
    [
      "A=${B",
      ".env:1: ${ is not followed by a name and }; write ${NAME} or ${NAME:-default}, or '…' for the text itself",
    ],
    ["A=a\0b", ".env:1: it contains a NUL character, which no variable can"],
  ])("%j is refused", (text, problem) => {
    expect(problemsOf(text)[0]).toBe(problem);
  });

  test("no problem repeats a value", () => {
    const value = "hunter2";
    const wrong = [value, `A='${value}`, `A='a' ${value}`, `A="${value}\n$(id)"`, `A=${value}\0`, `A=${value}\${`];

    for (const text of wrong) {
      const [problem] = problemsOf(text);
      expect(problem).toMatch(/^\.env:\d: /);
      expect(problem).not.toContain(value);
    }
  });

  test("every wrong line is reported", () => {
    expect(problemsOf("A\nB=1\nC\n").map((problem) => problem.slice(0, 6))).toEqual([".env:1", ".env:3"]);
  });

  test("what is written in quotes is read back", () => {
    const value = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll(/[\0\r]/g, ""));
    const variables = fc.dictionary(fc.stringMatching(/^[A-Za-z_]\w{0,5}$/), value);
    fc.assert(
      fc.property(variables, fc.boolean(), (written, exported) => {
        const lines = Object.entries(written).map(([key, text]) => {
          const quoted = text.includes("`") || text.includes("'") ? double(text.replaceAll("`", "")) : `'${text}'`;
          return `${exported ? "export " : ""}${key}=${quoted} # ${key}`;
        });
        const expected = Object.entries(written).map(([key, text]) => [
          key,
          text.includes("`") || text.includes("'") ? text.replaceAll("`", "") : text,
        ]);

        expect(parse(lines.join("\n"))).toEqual({ variables: Object.fromEntries(expected) });
      }),
    );
  });

  test("any text gives variables or problems that name a line of it", () => {
    const piece = fc.constantFrom("A", "=", "'", '"', "\n", "${", "}", "$(", "\\", " ", "#", "export ", ":-", "`");
    fc.assert(
      fc.property(
        fc.array(piece).map((pieces) => pieces.join("")),
        (text) => {
          const lines = text.split("\n").length;

          for (const problem of problemsOf(text)) {
            const line = Number(/^\.env:(\d+): /.exec(problem)![1]);
            expect(line).toBeGreaterThanOrEqual(1);
            expect(line).toBeLessThanOrEqual(lines);
          }
        },
      ),
    );
  });
});

describe("env file: limits", () => {
  test("a longer file is refused", () => {
    expect(problemsOf("#".repeat(envFileCharactersMax))).toEqual([]);
    expect(problemsOf("#".repeat(envFileCharactersMax + 1))).toEqual([
      `.env: has ${envFileCharactersMax + 1} characters; ${envFileCharactersMax} are allowed`,
    ]);
  });

  test("more variables are refused", () => {
    const lines = (count: number) => Array.from({ length: count }, (_, at) => `V${at}=`).join("\n");

    expect(problemsOf(lines(envVariablesMax))).toEqual([]);
    expect(problemsOf(lines(envVariablesMax + 1))).toEqual([
      `.env:${envVariablesMax + 1}: there are more than ${envVariablesMax} variables`,
    ]);
  });

  test("values that grow by reference are refused before they are large", () => {
    const doubled = Array.from({ length: 60 }, (_, at) => `A${at + 1}=\${A${at}}\${A${at}}`);

    expect(problemsOf([`A0=${"x".repeat(100)}`, ...doubled].join("\n"))).toEqual([
      `.env:15: references have more than ${envValuesMax} characters`,
    ]);
  });

  test("values that are too long together are refused", () => {
    const text = `A=${"x".repeat(500_000)}\nB=\${A}\nC=\${A}\nD=\${A}`;

    expect(problemsOf(text)).toEqual([]);
    expect(problemsOf(`${text}\nE=${"x".repeat(200_000)}`)).toEqual([
      `.env:5: the values have more than ${envValuesMax} characters`,
    ]);
  });

  test("one value that refers too often is refused before it is large", () => {
    expect(problemsOf(`A=${"x".repeat(500_000)}\nB=${"${A}".repeat(100_000)}\nC=1`)).toEqual([
      `.env:2: references have more than ${envValuesMax} characters`,
    ]);
  });
});

function double(text: string): string {
  return `"${text.replaceAll(/["$\\]/g, (character) => `\\${character}`)}"`;
}
