import { describe, expect, test } from "vitest";
import { readWords, WrongUsage } from "../words.ts";
import { readRun, run } from "./run.ts";

const understood = (line: string) => {
  const words = line === "" ? [] : line.split(" ");
  return readRun(readWords("colos run", words, run.options, { optionsFirst: run.optionsFirst === true }));
};
const plain = { restart: "temporary", env: {}, args: [] };

describe("colos run: what is understood", () => {
  test.each<[string, unknown]>([
    ["a.ts", { ...plain, target: "a.ts" }],
    ["a.ts --restart permanent -x", { ...plain, target: "a.ts", args: ["--restart", "permanent", "-x"] }],
    ["a.ts --help", { ...plain, target: "a.ts", args: ["--help"] }],
    ["a.ts -- b", { ...plain, target: "a.ts", args: ["--", "b"] }],
    ["-- --strange --name x", { ...plain, target: "--strange", args: ["--name", "x"] }],
    ["--restart permanent a.ts", { ...plain, target: "a.ts", restart: "permanent" }],
    ["--restart=transient a.ts", { ...plain, target: "a.ts", restart: "transient" }],
    ["--carrier thread a.ts", { ...plain, target: "a.ts", carrier: "thread" }],
    ["--name worm --name eel a.ts", { ...plain, target: "a.ts", name: "eel" }],
    ["--env A=1 --env B= --env=C=x=y a.ts", { ...plain, target: "a.ts", env: { A: "1", B: "", C: "x=y" } }],
    ["--cwd /tmp --shutdown 100 a.ts", { ...plain, target: "a.ts", cwd: "/tmp", shutdown: 100 }],
    ["--shutdown brutal a.ts", { ...plain, target: "a.ts", shutdown: "brutal" }],
  ])("colos run %s", (line, invocation) => {
    expect(understood(line)).toEqual(invocation);
  });
});

describe("colos run: what is refused", () => {
  test.each([
    ["", "colos run: the program is missing; write colos run <file or command> [args…]"],
    ["--restrat permanent a.ts", 'colos run: "--restrat" is not an option; did you mean "--restart"?'],
    ["-x a.ts", 'colos run: "-x" is not an option; colos run --help lists them'],
    ["--name", "colos run: --name needs a value: --name <name>"],
    ["--name --cwd /tmp a.ts", "colos run: --name needs a value: --name <name>"],
    ["--name= a.ts", "colos run: --name needs a value: --name <name>"],
    ["--restart allways a.ts", 'colos run: --restart: "allways" is not one of permanent, transient, temporary'],
    [
      "--carrier thraed a.ts",
      'colos run: --carrier: "thraed" is not one of coroutine, thread, os-process, command; did you mean "thread"?',
    ],
    ["--env A a.ts", 'colos run: --env: "A" is not KEY=VALUE'],
    ["--env =A a.ts", 'colos run: --env: "=A" is not KEY=VALUE'],
    [
      "--shutdown 5s a.ts",
      'colos run: --shutdown: "5s" is not brutal, infinity or a whole number of milliseconds from 1 to 2147483647',
    ],
  ])("colos run %s", (line, problem) => {
    expect(() => understood(line)).toThrow(new WrongUsage(problem));
  });
});
