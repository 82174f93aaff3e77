/**
 * Document: `docs/conformance.md`, made of the statements as they run.
 *
 * @module
 */
import { allCarriers, carrierStatements } from "./carrier-statements.ts";
import { differences } from "./differences.ts";
import { conformanceCarriers, type ConformanceCarrier, type Statement } from "./statement.ts";
import { groups } from "./suite.ts";

const holds = "✓";

/** The page as text. */
export function conformanceDocument(): string {
  const statements = groups.flatMap((group) => group.statements);
  return `# Conformance

Do processes, links, monitors, names, timers, servers and supervisors do what Erlang/OTP's do? These statements say what that is;
each holds on OTP 25, and each is a test here, run with the processes under test on a coroutine, on a thread and in an OS
process, where every signal crosses a border. This page is made by that suite.

\`\`\`sh
npx vitest run test/conformance-              # the statements, on three carriers
npm run conformance -- --programs 10000       # random programs on the BEAM and on colos, judged by a model
npm run conformance:docs                      # writes this page
\`\`\`

What the random programs found stands in [conformance-differential.md](conformance-differential.md).

${table(["", ...conformanceCarriers], [["statements that hold", ...conformanceCarriers.map((carrier) => countOf(statements, carrier))]])}

${groups.map(({ letter, title, statements: own }) => `## ${title} (${letter})\n\n${statementTable(own)}`).join("\n\n")}

## Carriers (K)

What every carrier owes its processes. There is no Erlang to ask here; a BEAM has one carrier.

${table(
  ["id", "statement", ...allCarriers],
  carrierStatements.map(({ id, sentence, proofs }) => [
    id,
    sentence,
    ...allCarriers.map((carrier) => (proofs[carrier] === undefined ? "–" : holds)),
  ]),
)}

## Exceptions

${exceptionList([...statements, ...carrierStatements])}

## Where colos differs on purpose

${[
  ...differences,
  ...statements.flatMap(({ id, difference }) => (difference === undefined ? [] : `${id}: ${difference}`)),
]
  .map((sentence) => `- ${sentence}`)
  .join("\n")}
`;
}

function countOf(statements: readonly Statement[], carrier: ConformanceCarrier): string {
  const holding = statements.filter(({ except }) => except?.[carrier] === undefined);
  return `${holding.length} of ${statements.length}`;
}

function statementTable(statements: readonly Statement[]): string {
  const rows = statements.map(({ id, sentence, except }) => [
    id,
    sentence,
    ...conformanceCarriers.map((carrier) => (except?.[carrier] === undefined ? holds : "–")),
  ]);
  return table(["id", "statement", ...conformanceCarriers], rows);
}

function exceptionList(
  statements: readonly { readonly id: string; readonly except?: Readonly<Partial<Record<string, string>>> }[],
): string {
  const lines = statements.flatMap(({ id, except = {} }) => {
    const carriersBySentence = groupBy(Object.keys(except), (carrier) => except[carrier] ?? "");
    return [...carriersBySentence].map(([sentence, carriers]) => `- ${id} on ${carriers.join(" and ")}: ${sentence}`);
  });
  return lines.length === 0 ? "None." : lines.join("\n");
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

function groupBy(items: readonly string[], keyOf: (item: string) => string): Map<string, string[]> {
  const itemsByKey = new Map<string, string[]>();
  for (const item of items) itemsByKey.set(keyOf(item), [...(itemsByKey.get(keyOf(item)) ?? []), item]);
  return itemsByKey;
}
