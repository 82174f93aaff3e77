import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { commandOfLine, splitWords } from "./shell-words.ts";

describe("shell words", () => {
  test.each<[string, readonly string[]]>([
    ["node server.js", ["node", "server.js"]],
    ["  node\t'a b' \"c d\" e\\ f ", ["node", "a b", "c d", "e f"]],
    ['a "b\\"c" "d\\e" \'f\\g\'', ["a", 'b"c', "d\\e", "f\\g"]],
    ["a '' \"\"", ["a", "", ""]],
    ["a b'c'\"d\"", ["a", "bcd"]],
    ["a '$HOME' \\$X \"\\$Y\"", ["a", "$HOME", "$X", "$Y"]],
    ["a 'b|c' \"d&&e\"", ["a", "b|c", "d&&e"]],
    ["exec node x", ["node", "x"]],
    ["a b#c x=y", ["a", "b#c", "x=y"]],
  ])("%s", (line, command) => {
    expect(commandOfLine(line)).toEqual({ command });
  });

  test.each([
    ["node $FILE", "variables"],
    ['node "$FILE"', "variables"],
    ["node `pwd`", "command substitution"],
    ["a | b", "pipes"],
    ["a && b", "several commands"],
    ["a; b", "several commands"],
    ["a > /dev/null", "redirections"],
    ["a *.js", "patterns"],
    ["a {1,2}", "braces"],
    ["~/bin/a", "the home folder"],
    ["a # b", "a comment"],
    ["PORT=1 node x", "assignments"],
    ["cd app", "the built-in cd"],
    ["a 'b", "an open quote"],
  ])("%s needs a shell for %s", (line, shellFor) => {
    expect(commandOfLine(line)).toEqual({ command: ["sh", "-c", line], shellFor });
  });

  test.each(["", "   ", "''"])("%j is no command", (line) => {
    expect(commandOfLine(line)).toBeUndefined();
  });

  test("words in single quotes come back", () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (words) => {
        const line = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");

        expect(splitWords(line)).toEqual({ words, special: undefined });
      }),
    );
  });
});
