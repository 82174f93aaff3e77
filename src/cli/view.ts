/**
 * View: the table of a running system as lines of text. Pure: the same instances, size and options give the same
 * lines.
 *
 * Guarantees: never more lines than rows and never a line wider than the columns. Columns keep their place while
 * figures change. The more important stays when space is short: first whole columns go (table.ts), then
 * instances, and the last line says how many. What a service wrote cannot do anything to the terminal.
 * Not here: when and where the lines are drawn (live.ts).
 *
 * @module
 */
import type { InstanceStatus } from "../control/service.ts";
import { styled } from "./colour.ts";
import { uptimeText } from "./figures.ts";
import type { ScreenSize } from "./screen.ts";
import { countsText, fittingLines, instanceTable } from "./table.ts";
import { textWidth, truncated } from "./text.ts";

/** Rows from which on the table has a heading. */
export const rowsForHeading = 5;

export interface ViewOptions {
  /** What the system is called. */
  readonly title: string;
  readonly colour: boolean;
  readonly phase: "running" | "stopping" | "ended";
  /** Since the system was started. */
  readonly elapsedMs: number;
}

/** Draws the table. */
export function renderView(instances: readonly InstanceStatus[], size: ScreenSize, options: ViewOptions): string[] {
  const { rows, columns } = size;
  const state = stateLine(instances, columns, options);
  if (rows <= 1) return rows < 1 ? [] : [state];
  const table = instanceTable(instances, columns, options.colour);
  const { blocks } = table;
  const heading = rows < rowsForHeading ? [] : [table.heading];
  const linesCount = 1 + heading.length + blocks.reduce((sum, { length }) => sum + length, 0);
  if (linesCount < rows) return [state, "", ...heading, ...blocks.flat()];
  return [state, ...heading, ...fittingLines(table, rows - 1 - heading.length)];
}

function stateLine(instances: readonly InstanceStatus[], columns: number, options: ViewOptions): string {
  const { title, colour } = options;
  const [facts, hint] = stateText(instances, options);
  const whole = `${title}: ${facts} · ${hint}`;
  if (hint === "" || textWidth(whole) > columns) {
    const line = truncated(`${title}: ${facts}`, columns);
    return line.startsWith(`${title}:`) ? styled("bold", title, colour) + line.slice(title.length) : line;
  }
  return `${styled("bold", title, colour)}: ${facts} ${styled("dim", `· ${hint}`, colour)}`;
}

/** What is so, and what the person can do. */
function stateText(instances: readonly InstanceStatus[], { phase, elapsedMs }: ViewOptions): [string, string] {
  if (phase === "ended") return [`ended after ${uptimeText(elapsedMs)}`, ""];
  if (phase === "stopping") {
    const left = instances.filter(({ state }) => state === "starting" || state === "ready" || state === "stopping");
    return [`stopping, ${left.length} of ${instances.length} still running`, "Ctrl+C again kills"];
  }
  const readyCount = instances.filter(({ state }) => state === "ready").length;
  const others = countsText(instances, ["failed", "backoff", "stopped"]);
  const facts = `${readyCount} of ${instances.length} ready${others === "" ? "" : `, ${others}`}`;
  return [`${facts}, up ${uptimeText(elapsedMs)}`, "Ctrl+C stops"];
}
