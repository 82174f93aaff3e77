import { describe, expect, test } from "vitest";
import { CampaignError, checkCampaign } from "./campaign-check.ts";
import type { CampaignOptions, Plan, Property } from "./property.ts";

const property: Property<null> = { name: "subject", setup: () => null, sometimes: ["label"] };

describe("bad use is refused with a sentence", () => {
  const plans: readonly (readonly [string, unknown, RegExp])[] = [
    ["a fault that there is not", { faults: { kil: 1 } }, /there is no fault "kil"; there are kill, crash/],
    ["a rate below 0", { faults: { kill: -1 } }, /rate of kill is a number from 0 on, not -1/],
    ["a probability above 1", { faults: { delay: 2 } }, /its rate is at most 1, not 2/],
    ["a window that ends before it begins", { window: [10, 5] }, /its window goes from 10 to 5 ms/],
    ["a window without an end", { window: [0, Infinity] }, /its window goes from 0 to Infinity ms/],
    ["faults without a window", { faults: { kill: 1 }, window: [5, 5] }, /its window is empty/],
    [
      "a fault after the window",
      { at: [{ atMs: 3000, fault: "kill" }], window: [0, 2000] },
      /kill at 3000 ms is outside/,
    ],
    [
      "a fault before the window",
      { at: [{ atMs: 10, fault: "kill" }], window: [1000, 2000] },
      /kill at 10 ms is outside/,
    ],
    ["a fault after the default window", { at: [{ atMs: 10_001, fault: "kill" }] }, /kill at 10001 ms is outside/],
    ["a time below 0", { at: [{ atMs: -1, fault: "kill" }] }, /from 0 (on|to)/],
    ["a planned fault that is asked for", { at: [{ atMs: 1, fault: "enospc" }] }, /not at a time; give it a rate/],
    ["nobody to strike", { targets: [] }, /targets is empty/],
    ["no fault allowed", { faults: { kill: 1 }, budget: { faultsMax: 0 } }, /budget.faultsMax is 0/],
    [
      "a fault that is forbidden",
      { faults: { kill: 1 }, budget: { perFaultMax: { kill: 0 } } },
      /perFaultMax forbids it/,
    ],
    [
      "a planned fault that is forbidden",
      { at: [{ atMs: 1, fault: "kill" }], budget: { perFaultMax: { kill: 0 } } },
      /at has 1 kill, and budget.perFaultMax allows 0/,
    ],
    ["less quiet than none", { budget: { quietMs: -1 } }, /quietMs is milliseconds, not -1/],
    [
      "more planned faults than allowed",
      { at: [{ atMs: 1, fault: "kill" }], budget: { faultsMax: 0 } },
      /at has 1 faults, and budget.faultsMax is 0/,
    ],
  ];
  test.each(plans)("a plan with %s", (_name, plan, sentence) => {
    const check = (): void => checkCampaign(property, plan as Plan, {});

    expect(check).toThrow(CampaignError);
    expect(check).toThrow(sentence);
  });

  const options: readonly (readonly [string, unknown, RegExp])[] = [
    [
      "a scheduler that there is not",
      { scheduler: "best" },
      /scheduler is one of random, pct, fifo, exhaustive, not "best"/,
    ],
    ["no runs", { runs: 0 }, /runs is 0/],
    ["half a run", { runs: 1.5 }, /runs is a whole number/],
    ["a seed that is no whole number", { seed: 1.5 }, /seed is a whole number/],
    ["a depth that is none", { scheduler: "pct", pctDepth: 0 }, /pctDepth is a whole number from 1 on, not 0/],
    ["less than no time", { cpuSeconds: -1 }, /cpuSeconds is a number from 0 on, not -1/],
  ];
  test.each(options)("options with %s", (_name, given, sentence) => {
    const check = (): void => checkCampaign(property, {}, given as CampaignOptions);

    expect(check).toThrow(CampaignError);
    expect(check).toThrow(sentence);
  });

  const properties: readonly (readonly [string, unknown, RegExp])[] = [
    ["without a name", { ...property, name: "" }, /needs a name/],
    ["without a setup", { ...property, setup: undefined }, /needs a function setup/],
    ["that checks nothing", { name: "subject", setup: () => null }, /checks nothing/],
    [
      "with a time that is none",
      { ...property, eventually: { up: { withinMs: NaN, holds: () => true } } },
      /withinMs is milliseconds, not NaN/,
    ],
  ];
  test.each(properties)("a property %s", (_name, given, sentence) => {
    const check = (): void => checkCampaign(given as Property<null>, {}, {});

    expect(check).toThrow(CampaignError);
    expect(check).toThrow(sentence);
  });
});
