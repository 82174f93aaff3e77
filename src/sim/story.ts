/**
 * Story: what a campaign tells people, as text.
 *
 * @module
 */
import type { Counterexample, Report } from "./campaign.ts";
import type { StoryLine } from "./host.ts";

/** Lines of a story that are shown: the first few, and the last. */
export const storyHeadLines = 10;
export const storyTailLines = 60;

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
  if (shrinkRunsCount === 0) return seed === undefined ? [] : [`found with seed ${seed}`, ""];
  const less = isShrunk ? "" : ", and no further for want of time";
  const decisions = choices.length === 0 ? ["no decision at all: it fails in the dullest run"] : choices.map(shown);
  return [
    `found with seed ${seed}; of its ${choicesFoundCount} decisions ${choices.length} are enough (${shrinkRunsCount} runs${less}):`,
    ...decisions.slice(0, 20).map((line) => `  ${line}`),
    ...(decisions.length > 20 ? [`  and ${decisions.length - 20} more`] : []),
    "",
  ];
}

function shown({ stream, index, value }: Counterexample["choices"][number]): string {
  return `${stream}#${index}=${value}`;
}

function storyLines(story: readonly StoryLine[]): string[] {
  if (story.length === 0) return [];
  const shownCount = storyHeadLines + storyTailLines;
  const isLong = story.length > shownCount;
  const lines = isLong
    ? [
        ...story.slice(0, storyHeadLines).map(lineOf),
        `  … ${story.length - shownCount} lines …`,
        ...story.slice(-storyTailLines).map(lineOf),
      ]
    : story.map(lineOf);
  return ["what happened:", ...lines];
}

function lineOf({ atMs, subject, what }: StoryLine): string {
  return `  ${milliseconds(atMs).padStart(12)}  ${subject} ${what.split("\n", 1)[0] ?? ""}`;
}

function milliseconds(value: number): string {
  return `${value.toLocaleString("en-US", { maximumFractionDigits: 2 })} ms`;
}

/** A campaign without a failure, in a line or two. */
export function tellReport(report: Report): string {
  const { runsCount, eventsCount, virtualMs, cpuMs, faults, weaknesses } = report;
  const struck = Object.entries(faults).map(([fault, count]) => `${count} ${fault}`);
  const hours = virtualMs / 3_600_000;
  return [
    `property "${report.property}" held in ${runsCount} runs: ${eventsCount} events, ${hours.toFixed(2)} virtual hours, ` +
      `${(cpuMs / 1000).toFixed(2)} CPU seconds (${Math.round(eventsCount / (cpuMs / 1000))} events and ` +
      `${((hours * 60) / (cpuMs / 1000)).toFixed(1)} virtual hours per CPU second and minute)`,
    struck.length === 0 ? "no fault struck" : `faults: ${struck.join(", ")}`,
    ...weaknesses.map((weakness) => `weak: ${weakness}`),
  ].join("\n");
}
