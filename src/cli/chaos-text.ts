/**
 * Chaos text: plans, events and reports of `colos chaos` as a person reads them.
 *
 * @module
 */
import {
  chaosFaults,
  type ChaosAbility,
  type ChaosEvent,
  type ChaosFaultName,
  type ChaosPlan,
  type ChaosReport,
  type ChaosStrike,
  type ChaosSummary,
} from "../control/chaos.ts";
import { clockText, durationText } from "./figures.ts";
import { plainText } from "./text.ts";
import { wrapped } from "./words.ts";

/** Victims that are named in a plan; of more only their number is told. */
export const victimsShownMax = 20;
/** Columns of what stands before each line. */
const indent = 14;

/** Which faults work here. */
export function abilityLines(abilities: readonly ChaosAbility[], columns: number): readonly string[] {
  const width = Math.max(...abilities.map(({ fault }) => fault.length));
  const room = Math.max(40, Math.min(columns, 120) - width - 7);
  return abilities.flatMap(({ fault, does, works, needs }) => {
    const text = works ? does : `${does}; needs ${needs}`;
    const [first = "", ...rest] = wrapped(plainText(text), room);
    const mark = works ? "yes" : "no ";
    return [`${fault.padEnd(width)}  ${mark}  ${first}`, ...rest.map((line) => `${" ".repeat(width + 7)}${line}`)];
  });
}

/** What will be done. */
export function planLines(plan: ChaosPlan): readonly string[] {
  const counts = new Map<ChaosFaultName, number>();
  for (const { fault } of plan.strikes) counts.set(fault, (counts.get(fault) ?? 0) + 1);
  const faults = plan.faults.map((fault) => {
    const { lasts, does } = chaosFaults[fault];
    const held = lasts ? `, for ${durationText(plan.holdMs)} each` : "";
    return row("", `${fault} × ${counts.get(fault) ?? 0}${held}: ${does}`);
  });
  return [
    `colos chaos in ${plan.home}, seed ${plan.seed}`,
    row("strikes", `${plan.strikes.length} times within ${durationText(plan.forMs)}`),
    ...faults,
    row(plan.isAny ? "one of" : "all of", victimsText(plan)),
    row("ends when", `the time is over, or: ${plan.abortWhen}`),
    ...plan.skipped.map(({ fault, needs }) => row("not possible", `${fault}: needs ${needs}`)),
  ].map(plainText);
}

function victimsText({ victims }: ChaosPlan): string {
  const shown = victims.slice(0, victimsShownMax).map(({ name, osPids }) => `${name}${pidsText(osPids)}`);
  const more = victims.length - shown.length;
  return more > 0 ? `${shown.join(", ")} and ${more} more` : shown.join(", ");
}

function pidsText(osPids: readonly number[]): string {
  if (osPids.length === 0) return "";
  return osPids.length === 1 ? ` (pid ${osPids[0]})` : ` (pids ${osPids.join(" ")})`;
}

/** Something that happened. */
export function eventLine(event: ChaosEvent): string {
  switch (event.type) {
    case "state": {
      const { name, state, reason } = event.change;
      return plainText(`${clockText(event.at)}   ${name} = ${state}${reason === undefined ? "" : `: ${reason}`}`);
    }
    case "settling":
      return plainText(`${clockText(event.at)} ${endText(event.end, event.abort)}; everything is undone`);
    case "strike": {
      const { strike } = event;
      const what = strike.missed === undefined ? pidsText(strike.osPids) : ` missed: ${strike.missed}`;
      return plainText(`${clockText(strike.at)} ${strike.fault} on ${strike.victim}${what}`);
    }
    case "undone":
      return plainText(`${clockText(Date.now())}   ${event.strike.fault} on ${event.strike.victim} is undone`);
    case "recovered": {
      const { victim, recoveredAfterMs: ms } = event.strike;
      return plainText(
        `${clockText(Date.now())}   ${victim} ${ms === undefined ? "stayed as it was" : `is back after ${durationText(ms)}`}`,
      );
    }
  }
}

/** All that is to be said in the end. */
export function reportLines(report: ChaosReport): readonly string[] {
  const { strikes, summary, skipped, problems, elapsedMs, seed } = report;
  return [
    "",
    `colos chaos: ${endText(report.end, report.abort)} after ${durationText(elapsedMs)}, seed ${seed}`,
    ...strikes.flatMap(strikeLines),
    ...(strikes.length === 0 ? ["  nothing was struck"] : []),
    ...summary.filter(({ strikesCount, missedCount }) => strikesCount + missedCount > 0).map(summaryLine),
    ...skipped.map(({ fault, needs }) => row("skipped", `${fault}: needs ${needs}`)),
    row("undone", report.isUndone ? "everything" : "not everything"),
    row("system", report.isWhole ? "whole again" : "not whole"),
    ...problems.map((problem) => row("", problem)),
  ].map(plainText);
}

function strikeLines(strike: ChaosStrike): readonly string[] {
  const { at, fault, victim, osPids, missed, states, problem } = strike;
  const became = missed === undefined ? becameText(strike) : `missed: ${missed}`;
  return [
    `  ${clockText(at)} ${fault} on ${victim}${pidsText(osPids)}: ${became}`,
    ...states.map(
      ({ name, afterMs, state, reason }) =>
        `      +${durationText(afterMs)} ${name} = ${state}${reason === undefined ? "" : `: ${reason}`}`,
    ),
    ...(problem === undefined ? [] : [`      ${problem}`]),
  ];
}

function becameText({ recoveredAfterMs, isRecovered }: ChaosStrike): string {
  if (!isRecovered) return "did not come back in time";
  return recoveredAfterMs === undefined ? "stayed as it was" : `back after ${durationText(recoveredAfterMs)}`;
}

function summaryLine({ fault, strikesCount, missedCount, medianMs, worstMs }: ChaosSummary): string {
  const missed = missedCount === 0 ? "" : `, ${missedCount} missed`;
  const back =
    medianMs === undefined || worstMs === undefined
      ? ""
      : `; back after ${durationText(medianMs)} (median), ${durationText(worstMs)} (worst)`;
  return row(fault, `${strikesCount} ${strikesCount === 1 ? "strike" : "strikes"}${missed}${back}`);
}

function endText(end: ChaosReport["end"], abort: string | undefined): string {
  if (end === "aborted") return `aborted, ${abort ?? "a condition held"}`;
  return end === "time" ? "the time is over" : "interrupted";
}

function row(head: string, text: string): string {
  return `  ${head.padEnd(indent)}${head.length >= indent ? " " : ""}${text}`;
}
