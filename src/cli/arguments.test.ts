import { describe, expect, test } from "vitest";
import { type Invocation, parseArguments } from "./arguments.ts";

const parse = (line: string): Invocation => parseArguments(line === "" ? [] : line.split(" "));
const run = { verb: "run", restart: "temporary", env: {}, args: [] };
const up = { verb: "up", plain: false };

describe("arguments: what is understood", () => {
  test.each<[string, unknown]>([
    ["run a.ts", { ...run, target: "a.ts" }],
    ["run a.ts --restart permanent -x", { ...run, target: "a.ts", args: ["--restart", "permanent", "-x"] }],
    ["run a.ts --help", { ...run, target: "a.ts", args: ["--help"] }],
    ["run a.ts -- b", { ...run, target: "a.ts", args: ["--", "b"] }],
    ["run -- --strange --name x", { ...run, target: "--strange", args: ["--name", "x"] }],
    ["run --restart permanent a.ts", { ...run, target: "a.ts", restart: "permanent" }],
    ["run --restart=transient a.ts", { ...run, target: "a.ts", restart: "transient" }],
    ["run --carrier thread a.ts", { ...run, target: "a.ts", carrier: "thread" }],
    ["run --name worm --name eel a.ts", { ...run, target: "a.ts", name: "eel" }],
    ["run --env A=1 --env B= --env=C=x=y a.ts", { ...run, target: "a.ts", env: { A: "1", B: "", C: "x=y" } }],
    ["run --cwd /tmp --shutdown 100 a.ts", { ...run, target: "a.ts", cwd: "/tmp", shutdown: 100 }],
    ["run --shutdown brutal a.ts", { ...run, target: "a.ts", shutdown: "brutal" }],
    ["up --foreground", up],
    ["up --foreground shop.json", { ...up, config: "shop.json" }],
    ["up shop.json --foreground", { ...up, config: "shop.json" }],
    ["up --foreground --plain", { ...up, plain: true }],
    ["up --foreground --no-tty", { ...up, plain: true }],
    ["up --foreground -- --shop.json", { ...up, config: "--shop.json" }],
    ["--version", { verb: "version" }],
    ["-V", { verb: "version" }],
  ])("colos %s", (line, invocation) => {
    expect(parse(line)).toEqual(invocation);
  });
});

describe("arguments: what is refused", () => {
  test.each([
    ["rum a.ts", 'colos: "rum" is not a verb; did you mean "run"?'],
    ["dance", 'colos: "dance" is not a verb; colos --help lists them'],
    ["constructor", 'colos: "constructor" is not a verb; colos --help lists them'],
    ["server.ts", 'colos: "server.ts" is not a verb; did you mean colos run server.ts?'],
    ["--verson", 'colos: "--verson" is not an option; did you mean "--version"?'],
    ["--", "colos: a verb is missing; colos --help lists them"],
    ["help rum", 'colos: "rum" is not a verb; did you mean "run"?'],
    ["run", "colos run: the program is missing; write colos run <file or command> [args…]"],
    ["run --restrat permanent a.ts", 'colos run: "--restrat" is not an option; did you mean "--restart"?'],
    ["run -x a.ts", 'colos run: "-x" is not an option; colos run --help lists them'],
    ["run --name", "colos run: --name needs a value: --name <name>"],
    ["run --name --cwd /tmp a.ts", "colos run: --name needs a value: --name <name>"],
    ["run --name= a.ts", "colos run: --name needs a value: --name <name>"],
    ["run --restart allways a.ts", 'colos run: --restart: "allways" is not one of permanent, transient, temporary'],
    [
      "run --carrier thraed a.ts",
      'colos run: --carrier: "thraed" is not one of coroutine, thread, os-process, command; did you mean "thread"?',
    ],
    ["run --env A a.ts", 'colos run: --env: "A" is not KEY=VALUE'],
    ["run --env =A a.ts", 'colos run: --env: "=A" is not KEY=VALUE'],
    [
      "run --shutdown 5s a.ts",
      'colos run: --shutdown: "5s" is not brutal, infinity or a whole number of milliseconds from 1 to 2147483647',
    ],
    ["up", "colos up: the daemon does not exist yet; write colos up --foreground"],
    ["up --foregruond", 'colos up: "--foregruond" is not an option; did you mean "--foreground"?'],
    ["up --foreground a b", 'colos up: takes one config; "b" is too many'],
    ["up --foreground --plain=yes", "colos up: --plain takes no value"],
  ])("colos %s", (line, problem) => {
    expect(parse(line)).toEqual({ verb: "wrong", problem });
  });
});

describe("arguments: help", () => {
  test.each(["--help", "-h", "help"])("colos %s lists the verbs", (line) => {
    const invocation = parse(line);

    expect(invocation).toMatchObject({ verb: "help", isAsked: true });
    expect("text" in invocation && invocation.text).toContain("colos up --foreground [options] [config]");
  });

  test.each(["run --help", "run -h", "help run"])("colos %s lists the options of run", (line) => {
    const invocation = parse(line);

    expect("text" in invocation && invocation.text).toContain("--restart permanent|transient|temporary");
  });

  test("help is asked for before a mistake counts", () => {
    expect(parse("up --help")).toMatchObject({ verb: "help" });
  });

  test("nothing typed is help that nobody asked for", () => {
    expect(parse("")).toMatchObject({ verb: "help", isAsked: false });
  });

  test("no line of help is wider than a terminal", () => {
    for (const line of ["--help", "run --help", "up --help"]) {
      const invocation = parse(line);
      const text = "text" in invocation ? invocation.text : "";
      expect(Math.max(...text.split("\n").map(({ length }) => length))).toBeLessThanOrEqual(100);
    }
  });
});
