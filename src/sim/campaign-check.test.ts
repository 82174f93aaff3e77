import { describe, expect, test } from "vitest";
import { checkCampaign } from "./campaign-check.ts";
import type { CampaignOptions, Plan, Property } from "./property.ts";

const sound: Property<null> = { name: "p", setup: () => null, always: { holds: () => true } };

function problemOf(property: object, plan: object = {}, options: object = {}): string {
  try {
    checkCampaign(property as Property<null>, plan as Plan, options as CampaignOptions);
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
  return "none";
}

test("what makes sense is let through", () => {
  const plan: Plan = { faults: { kill: 2, "torn-write": 1 }, window: [0, 5000], at: [{ atMs: 5000, fault: "kill" }] };

  expect(problemOf(sound, plan, { replay: "seed 1", corpus: ["none"], runs: 3 })).toBe("none");
});

describe("a property is refused", () => {
  const withName = (rest: object): object => ({ name: "p", setup: () => null, ...rest });

  test.each([
    [null, "a property is { name, setup, … }, not null"],
    [{ setup: () => null }, "a property needs a name"],
    [{ name: "p" }, 'property "p" needs a function setup(self, world)'],
    [
      withName({}),
      'property "p" checks nothing: give it always, onSignal, balance, eventually, sometimes or a model, or a workload that throws',
    ],
    [withName({ allways: {} }), 'a property has no "allways"; did you mean "always"?'],
    [withName({ always: { x: true } }), 'always "x" of "p" is a function, not true'],
    [withName({ balance: [] }), 'property "p" checks nothing'],
    [withName({ onSignal: 7 }), 'onSignal of "p" is an object of checks by name, not 7'],
    [withName({ eventually: { x: () => true } }), 'eventually "x" of "p" is { withinMs, holds(system, world) }'],
    [
      withName({ eventually: { x: { withinMs: -1, holds: () => true } } }),
      'eventually "x" of "p": withinMs is milliseconds, not -1',
    ],
  ])("%j", (property, sentence) => {
    expect(problemOf(property as object)).toContain(`CampaignError: ${sentence}`);
  });
});

describe("a plan is refused", () => {
  const impossible = "no run can satisfy this plan: ";

  test.each([
    [{ fault: { kill: 1 } }, 'a plan has no "fault"; did you mean "faults"?'],
    [{ faults: { kil: 1 } }, 'faults: there is no fault "kil"; did you mean "kill"?'],
    [{ faults: { powerloss: 1 } }, 'faults: there is no fault "powerloss"; did you mean "power-loss"?'],
    [{ faults: { earthquakes: 1 } }, 'faults: there is no fault "earthquakes"; there are kill, crash, crash-in-init, '],
    [{ faults: { kill: -1 } }, "the rate of kill is a number from 0 on, not -1"],
    [
      { faults: { enospc: 2 } },
      "enospc strikes with a probability each time that it could, so its rate is at most 1, not 2",
    ],
    [{ window: [5, 3] }, `${impossible}its window goes from 5 to 3 ms`],
    [{ window: [5, 5], faults: { kill: 1 } }, `${impossible}it has faults, and its window is empty`],
    [
      { window: [0, 9], at: [{ atMs: 10, fault: "kill" }] },
      `${impossible}kill at 10 ms is after the window, which ends at 9`,
    ],
    [
      { at: [{ atMs: 10_001, fault: "kill" }] },
      `${impossible}kill at 10001 ms is after the window, which ends at 10000`,
    ],
    [
      { at: [{ atMs: 1, fault: "enospc" }] },
      "at: enospc strikes where it is asked for, not at a time; give it a rate in faults",
    ],
    [{ targets: [] }, `${impossible}targets is empty, so nothing can be struck; leave it out to allow all`],
    [{ budget: { faultMax: 1 } }, 'a budget has no "faultMax"; did you mean "faultsMax"?'],
    [{ faults: { kill: 1 }, budget: { faultsMax: 0 } }, `${impossible}it has faults, and budget.faultsMax is 0`],
    [
      { faults: { kill: 1 }, budget: { perFaultMax: { kill: 0 } } },
      `${impossible}faults has kill, and budget.perFaultMax forbids it`,
    ],
    [
      { at: [{ atMs: 1, fault: "kill" }], budget: { faultsMax: 0 } },
      `${impossible}at has 1 faults, and budget.faultsMax is 0`,
    ],
    [
      { at: [{ atMs: 1, fault: "kill" }], budget: { perFaultMax: { kill: 0 } } },
      `${impossible}at has 1 kill, and budget.perFaultMax allows 0`,
    ],
    [
      { window: [50, 99], at: [{ atMs: 10, fault: "kill" }] },
      `${impossible}kill at 10 ms is before the window, which begins at 50`,
    ],
    [{ budget: { quietMs: NaN } }, "budget.quietMs is milliseconds, not NaN"],
  ])("%j", (plan, sentence) => {
    expect(problemOf(sound, plan)).toContain(`CampaignError: ${sentence}`);
  });
});

describe("options are refused", () => {
  test.each([
    [{ run: 5 }, 'a campaign has no option "run"; did you mean "runs"?'],
    [{ runs: 0 }, "runs is 0, so nothing would be tested"],
    [{ runs: "many" }, "runs is a number from 0 on, not many"],
    [{ runs: 1.5 }, "runs is a whole number, not 1.5"],
    [{ scheduler: "pct", pctDepth: 0 }, "pctDepth is 0, and a failure needs one step at least"],
    [{ scheduler: "fair" }, 'scheduler is one of random, pct, fifo, exhaustive, not "fair"'],
    [{ replay: 7 }, "replay is a text, not 7"],
    [{ replay: "" }, 'replay: the replay is empty; a replay is "seed 17", or choices such as'],
    [
      { replay: "kill#x=1" },
      'replay: the replay is wrong at character 1, "kill#x=1": a choice\'s index is a whole number of at least 0, not "x"',
    ],
    [{ corpus: ["none", "zzz"] }, 'corpus, entry 1: the replay is wrong at character 1, "zzz"'],
  ])("%j", (options, sentence) => {
    expect(problemOf(sound, {}, options)).toContain(`CampaignError: ${sentence}`);
  });
});
