/**
 * Checks: what must hold of a system whose daemon is killed, at each moment and at the end.
 *
 * @module
 */
import type { Property } from "colos/testing";
import { wrongExits } from "./evidence.ts";
import { parts } from "./fleet.ts";
import type { Campaign } from "./system.ts";

/** At each moment. */
export const always: NonNullable<Property<Campaign>["always"]> = {
  "no run begins twice, and no two of one instance at once": atEach(({ facts }) => facts.problems),
  "a daemon starts and ends only as it is told": atEach(({ keeper }) => keeper.problems),
  "what was acknowledged holds, and what was cut off is whole": atEach(({ client }) => client.problems),
  "no client of a service notices": atEach(({ loads }) => loads.flatMap(({ problems }) => problems)),
  "nothing takes for ever": atEach(({ steps }) => steps.problems()),
  ...Object.fromEntries(
    parts.map(({ name }) => [name, atEach(({ evidences }) => evidences.get(name)?.problems ?? [])]),
  ),
};

/** When everything is over. */
export const eventually: NonNullable<Property<Campaign>["eventually"]> = {
  "no exit code is lost": atLast(({ facts, exits }) => wrongExits(facts, exits)),
  "what runs once has run once": atLast(({ facts }) => (facts.starts.get("once.1.1") === 1 ? [] : ["it did not"])),
  "each line is in the log once and in order": atLast(({ atEnd }) => atEnd.lines),
  "everything is as it is wanted": atLast(({ atEnd }) => atEnd.unsettled),
  ...Object.fromEntries(
    parts.map(({ name }) => [`${name}, to the end`, atLast(({ atEnd }) => atEnd.missing.get(name) ?? [])]),
  ),
  "no OS process is left after down": atLast(({ atEnd }) => atEnd.left),
};

type ProblemsOf = (campaign: Campaign) => readonly string[];

function atEach(problemsOf: ProblemsOf): NonNullable<Property<Campaign>["always"]>[string] {
  return (campaign) => none(campaign, problemsOf);
}

function atLast(problemsOf: ProblemsOf): NonNullable<Property<Campaign>["eventually"]>[string] {
  return { withinMs: 1, holds: (campaign) => none(campaign, problemsOf) };
}

/** The first few, so that a person can read it, and what was done last. */
function none(campaign: Campaign, problemsOf: ProblemsOf): true | string {
  const problems = problemsOf(campaign);
  if (problems.length === 0) return true;
  const more = problems.length > 5 ? [`and ${problems.length - 5} more`] : [];
  return [...problems.slice(0, 5), ...more, "what was done last:", ...campaign.steps.diary()].join("\n");
}
