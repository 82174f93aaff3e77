/**
 * The text form of a run: both ways, and what is wrong with texts that are none.
 *
 * @module
 */
import { array, assert, maxSafeInteger, nat, oneof, option, property, record, string, uniqueArray } from "fast-check";
import { describe, expect, test } from "vitest";
import type { Choice } from "./choices.ts";
import { formatReplay, parseReplay, type Replay } from "./replay.ts";

const samples: readonly [text: string, replay: Replay][] = [
  ["seed 17", { seed: 17 }],
  ["seed 0 none", { seed: 0, choices: [] }],
  ["none", { choices: [] }],
  [
    "victim#2=1 kill.gap#0=3",
    {
      choices: [
        { stream: "victim", index: 2, value: 1 },
        { stream: "kill.gap", index: 0, value: 3 },
      ],
    },
  ],
  ["seed 9 lat:a>b#12=400", { seed: 9, choices: [{ stream: "lat:a>b", index: 12, value: 400 }] }],
  ["seed#0=1", { choices: [{ stream: "seed", index: 0, value: 1 }] }],
  ["#0=1", { choices: [{ stream: "", index: 0, value: 1 }] }],
  [
    "Füller:a%20%27b%27%23%3D%25%21%0A%E2%82%AC%uD800#1=2",
    { choices: [{ stream: "Füller:a 'b'#=%!\n€\ud800", index: 1, value: 2 }] },
  ],
];

describe("a replay", () => {
  test.each(samples)("is written as %s", (text, replay) => {
    expect(formatReplay(replay)).toBe(text);
  });

  test.each(samples)("is read from %s", (text, replay) => {
    expect(parseReplay(text)).toEqual(replay);
  });

  const name = oneof(string({ unit: "binary", maxLength: 12 }), array(nat(0xffff), { maxLength: 8 }).map(textOfUnits));
  const choice = record({
    stream: name,
    index: maxSafeInteger().map(Math.abs),
    value: nat().map((value) => value + 1),
  });
  const choices = uniqueArray(choice, { selector: ({ stream, index }: Choice) => `${index} ${stream}`, maxLength: 8 });
  const replays = record({ seed: option(nat(), { nil: undefined }), choices });

  test("is read as it was written, whatever the streams are named", () => {
    assert(
      property(replays, ({ seed, choices }) => {
        const replay = seed === undefined ? { choices } : { seed, choices };
        expect(parseReplay(formatReplay(replay))).toEqual(replay);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  test("is one line that single quotes protect from a shell, and that a terminal shows", () => {
    assert(
      property(replays, ({ choices }) => {
        expect(formatReplay({ choices })).toMatch(/^[\p{L}\p{N} #=%_.:/@+,~()[\]<>*-]+$/u);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  test("may be written by hand, over several lines and with # and = in names", () => {
    expect(parseReplay("  seed 1\n victim:worker#3=x#0=1\t")).toEqual({
      seed: 1,
      choices: [{ stream: "victim:worker#3=x", index: 0, value: 1 }],
    });
  });

  test.each([
    ["", 'the replay is empty; a replay is "seed 17", or choices such as "victim#2=1 kill.gap#0=3", or "none"'],
    ["seed", 'the replay is wrong at character 1, "seed": a seed is a number, as in seed 17'],
    ["seed x", 'the replay is wrong at character 6, "x": a seed is a whole number of at least 0, not "x"'],
    ["seed -1", 'the replay is wrong at character 6, "-1": a seed is a whole number of at least 0, not "-1"'],
    ["17", 'the replay is wrong at character 1, "17": a choice is written stream#index=value, as victim#2=1'],
    ["a#0=1 b#2", 'the replay is wrong at character 7, "b#2": a choice is written stream#index=value, as victim#2=1'],
    [
      "a#0=0",
      'the replay is wrong at character 1, "a#0=0": a choice\'s value is a whole number of at least 1, not "0"',
    ],
    [
      "a#x=1",
      'the replay is wrong at character 1, "a#x=1": a choice\'s index is a whole number of at least 0, not "x"',
    ],
    [
      "a#0=9007199254740992",
      'the replay is wrong at character 1, "a#0=9007199254740992": a choice\'s value is a whole number of at least 1, not "9007199254740992"',
    ],
    ["a#0=1 a#0=2", 'the replay is wrong at character 7, "a#0=2": draw 0 of this stream is given twice'],
    ["a#0=1 none", 'the replay is wrong at character 7, "none": none stands alone, for a run without choices'],
    ["100%#0=1", 'the replay is wrong at character 1, "100%#0=1": % stands for no character; a % is written %25'],
    ["a%FF#0=1", 'the replay is wrong at character 1, "a%FF#0=1": %FF stands for no character; a % is written %25'],
  ])("is refused: %j", (text, message) => {
    expect(() => parseReplay(text)).toThrow(new SyntaxError(message));
  });

  test.each<[Replay, Error]>([
    [{ seed: 0.5 }, new RangeError("a seed is a whole number of at least 0, not 0.5")],
    [
      { choices: [{ stream: "a", index: 0, value: 0 }] },
      new RangeError("a choice's value is a whole number of at least 1, not 0"),
    ],
    [
      { choices: [{ stream: "a", index: -1, value: 1 }] },
      new RangeError("a choice's index is a whole number of at least 0, not -1"),
    ],
    [
      {
        choices: [
          { stream: "a", index: 0, value: 1 },
          { stream: "a", index: 0, value: 2 },
        ],
      },
      new RangeError("a#0 is given twice"),
    ],
  ])("is not written when it could not be read: %j", (replay, error) => {
    expect(() => formatReplay(replay)).toThrow(error);
  });

  test("tells something", () => {
    expect(() => formatReplay({})).toThrow(TypeError);
  });
});

function textOfUnits(units: readonly number[]): string {
  return String.fromCharCode(...units);
}
