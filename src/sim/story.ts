/**
 * Story: what a campaign tells people, as text.
 *
 * @module
 */
import type { Counterexample, Report } from "./campaign.ts";
import type { StoryLine } from "./host.ts";
import { faults } from "../faults/fault.ts";

/** Of a story that is longer than `storyLinesShownMax`: the lines shown at its beginning and its end, and around the last faults. */
export const storyLinesShownMax = 60;
const headLines = 10;
const tailLines = 16;
const faultsMax = 6;
const beforeFaultLines = 2;
const afterFaultLines = 10;

/** A failing run, for people: what did not hold, what happened, and how to see it again. */
export function tellFailure(report: Report, replayCommand: (replay: string) => string): string {
  const { failure } = report;
  if (failure === undefined) return tellReport(report);
  return [
    `property "${report.property}" does not hold: ${failure.check}: ${failure.message}`,
    "",
    ...foundLines(failure),
    ...storyLines(failure.story),
    `at ${milliseconds(failure.atMs)}: ${failure.check}: ${failure.message}`,
    "",
    `replay: ${replayCommand(failure.replay)}`,
  ].join("\n");
}

function foundLines(failure: Counterexample): string[] {
  const { seed, choices, choicesFoundCount, isShrunk, shrinkRunsCount } = failure;
  const found = seed === undefined ? "found" : `found with seed ${seed}`;
  if (shrinkRunsCount === 0) return seed === undefined ? [] : [found, ""];
  const less = isShrunk ? "" : ", and no further for want of time";
  if (choices.length === 0) return [`${found}; it fails without any decision, in the dullest run`, ""];
  const verb = choices.length === 1 ? "is" : "are";
  return [
    `${found}; of its ${counted(choicesFoundCount, "decision")} ${choices.length} ${verb} enough (${counted(shrinkRunsCount, "run")}${less}):`,
    ...choices.slice(0, 20).map((choice) => `  ${shown(choice)}`),
    ...(choices.length > 20 ? [`  and ${choices.length - 20} more`] : []),
    "",
  ];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function shown({ stream, index, value }: Counterexample["choices"][number]): string {
  return `${stream}#${index}=${value}`;
}

function storyLines(story: readonly StoryLine[]): string[] {
  if (story.length === 0) return [];
  const lines = ["what happened:"];
  let hiddenCount = 0;
  const isShown = story.length <= storyLinesShownMax ? () => true : shownOf(story);
  for (const [index, line] of story.entries()) {
    if (!isShown(index)) {
      hiddenCount += 1;
      continue;
    }
    if (hiddenCount > 0) lines.push(`  … ${counted(hiddenCount, "line")} …`);
    hiddenCount = 0;
    lines.push(lineOf(line));
  }
  return lines;
}

/** Which lines say the most. */
function shownOf(story: readonly StoryLine[]): (index: number) => boolean {
  const faultIndexes = [...story.keys()].filter((index) => tellsOfFault(story[index] as StoryLine)).slice(-faultsMax);
  return (index) =>
    index < headLines ||
    index >= story.length - tailLines ||
    faultIndexes.some((fault) => index >= fault - beforeFaultLines && index <= fault + afterFaultLines);
}

/** All faults are told as `is struck by <fault>`, or with `(<fault>)` at the end. */
function tellsOfFault({ what }: StoryLine): boolean {
  const name = /^is struck by ([\w-]+)|\(([\w-]+)\)$/.exec(what);
  return name !== null && Object.hasOwn(faults, name[1] ?? name[2] ?? "");
}

function lineOf({ atMs, subject, what }: StoryLine): string {
  return `  ${milliseconds(atMs).padStart(12)}  ${subject} ${what.split("\n", 1)[0] ?? ""}`;
}

function milliseconds(value: number): string {
  return `${value.toLocaleString("en-US", { maximumFractionDigits: 2 })} ms`;
}

/** A replay that did not fail: whether it was the run that it tells. */
export function tellReplay({ property, replayUnused = [] }: Report): string {
  if (replayUnused.length === 0) return `property "${property}" held in the run that was replayed`;
  const unused = replayUnused.map(shown).join(" ");
  return `property "${property}" held in the run that was replayed, but that never came to ${unused}: system or plan have changed`;
}

/** A campaign without a failure that says less than it seems to: why, and what was run. */
export function tellWeak(report: Report): string {
  return [
    `property "${report.property}" held, but the test is weak:`,
    ...report.weaknesses.map((weakness) => `  ${weakness}`),
    "",
    tellReport(report),
  ].join("\n");
}

/** A campaign without a failure, in a line or two. */
export function tellReport(report: Report): string {
  const { runsCount, eventsCount, virtualMs, cpuMs, faults } = report;
  const struck = Object.entries(faults).map(([fault, count]) => `${count} ${fault}`);
  const hours = virtualMs / 3_600_000;
  return [
    `property "${report.property}" held in ${runsCount} runs: ${eventsCount} events, ${hours.toFixed(2)} virtual hours, ` +
      `${(cpuMs / 1000).toFixed(2)} CPU seconds (${Math.round(eventsCount / (cpuMs / 1000))} events and ` +
      `${((hours * 60) / (cpuMs / 1000)).toFixed(1)} virtual hours per CPU second and minute)`,
    struck.length === 0 ? "no fault struck" : `faults: ${struck.join(", ")}`,
  ].join("\n");
}
