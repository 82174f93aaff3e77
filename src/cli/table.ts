/**
 * Table: instances as rows of text, for the live table and for `colos ps`. Pure.
 *
 * Guarantees: no line is wider than the columns. Columns keep their place while figures change. When space is short whole
 * columns go (`dropOrder`); the name and the state never do. With `Infinity` columns everything is shown whole. What a
 * service wrote cannot do anything to the terminal.
 *
 * @module
 */
import type { InstanceState, InstanceStatus } from "../control/service.ts";
import { stateStyles, styled } from "./colour.ts";
import { bytesText, percentText, uptimeText } from "./figures.ts";
import { fitted, plainText, textWidth, truncated } from "./text.ts";

/** Columns of the widest name that is shown whole. */
export const nameWidthMax = 32;
/** Columns that a log line needs to be worth showing. */
export const logWidthMin = 20;

/** Rows of text. */
export interface InstanceTable {
  readonly instances: readonly InstanceStatus[];
  readonly columns: number;
  readonly colour: boolean;
  readonly heading: string;
  /** Of each instance: its row, and the row that says why when it needs a person's attention. */
  readonly blocks: readonly (readonly string[])[];
}

/** Lays out a table that is at most so many columns wide. */
export function instanceTable(instances: readonly InstanceStatus[], columns: number, colour: boolean): InstanceTable {
  const shown = columnsFor(instances, columns);
  return {
    instances,
    columns,
    colour,
    heading: headingLine(shown, columns, colour),
    blocks: instances.map((instance) => instanceLines(instance, shown, columns, colour)),
  };
}

/** As many blocks as fit into so many rows, whole, and a line about the rest. */
export function fittingLines({ blocks, instances, columns, colour }: InstanceTable, rows: number): readonly string[] {
  const all = blocks.flat();
  if (all.length <= rows) return all;
  const lines: string[] = [];
  let shownCount = 0;
  for (const block of blocks) {
    if (lines.length + block.length > rows - 1) break;
    lines.push(...block);
    shownCount++;
  }
  const hidden = instances.slice(shownCount);
  const problems = countsText(hidden, ["failed", "backoff"]);
  const more = `… and ${hidden.length} more${problems === "" ? "" : ` (${problems})`}`;
  return [...lines, styled(problems === "" ? "dim" : "yellow", truncated(more, columns), colour)];
}

const countedAs: Readonly<Partial<Record<InstanceState, string>>> = { backoff: "in backoff" };

/** How many instances are in each of these states: `1 failed, 2 in backoff`; empty when none is. */
export function countsText(instances: readonly InstanceStatus[], states: readonly InstanceState[]): string {
  const counts = states.map((state) => [instances.filter((each) => each.state === state).length, state] as const);
  return counts
    .filter(([count]) => count > 0)
    .map(([count, state]) => `${count} ${countedAs[state] ?? state}`)
    .join(", ");
}

interface Column {
  readonly key: string;
  readonly heading: string;
  readonly align: "left" | "right";
  readonly widthMin: number;
  readonly text: (instance: InstanceStatus) => string;
}

interface SizedColumn extends Column {
  readonly width: number;
}

const tableColumns: readonly Column[] = [
  { key: "name", heading: "name", align: "left", widthMin: 4, text: ({ name }) => name },
  { key: "carrier", heading: "carrier", align: "left", widthMin: 7, text: ({ carrier }) => carrier },
  { key: "state", heading: "state", align: "left", widthMin: 8, text: ({ state }) => state },
  { key: "pid", heading: "pid", align: "right", widthMin: 7, text: ({ osPid }) => figure(osPid, String) },
  {
    key: "uptime",
    heading: "uptime",
    align: "right",
    widthMin: 7,
    text: ({ uptimeMs }) => figure(uptimeMs, uptimeText),
  },
  {
    key: "restarts",
    heading: "restarts",
    align: "right",
    widthMin: 8,
    text: ({ restartsCount }) => String(restartsCount),
  },
  {
    key: "memory",
    heading: "memory",
    align: "right",
    widthMin: 7,
    text: ({ memoryBytes }) => figure(memoryBytes, bytesText),
  },
  {
    key: "cpu",
    heading: "cpu",
    align: "right",
    widthMin: 5,
    text: ({ cpuPercent }) => figure(cpuPercent, percentText),
  },
  { key: "log", heading: "last line", align: "left", widthMin: logWidthMin, text: logText },
];

/** Which column goes first when there is no space for all. The name and the state never go. */
const dropOrder: readonly string[] = ["carrier", "pid", "restarts", "cpu", "memory", "uptime", "log"];

/** The states that need a person's attention: why is so important that it has a row of its own. */
const hasReasonBelow: ReadonlySet<InstanceState> = new Set(["failed", "degraded", "backoff"]);

const gap = "  ";

function figure(value: number | undefined, text: (value: number) => string): string {
  return value === undefined ? "-" : text(value);
}

function logText({ lastLogLine, reason, state }: InstanceStatus): string {
  const why = hasReasonBelow.has(state) ? undefined : reason;
  return plainText([why, lastLogLine].filter((text) => text !== undefined).join(" · "));
}

/** The columns that fit, each as wide as its widest text; the log line takes what is left. */
function columnsFor(instances: readonly InstanceStatus[], columns: number): readonly SizedColumn[] {
  if (columns === Infinity) return tableColumns.map((column) => ({ ...column, width: widestText(column, instances) }));
  let shown: SizedColumn[] = tableColumns.map((column) => ({ ...column, width: columnWidth(column, instances) }));
  for (const key of dropOrder) {
    if (totalWidth(shown) <= columns) break;
    shown = shown.filter((column) => column.key !== key);
  }
  const excess = totalWidth(shown) - columns;
  return shown.map((column) => {
    if (column.key === "log") return { ...column, width: column.width - excess };
    if (column.key === "name" && excess > 0) return { ...column, width: Math.max(1, column.width - excess) };
    return column;
  });
}

function columnWidth(column: Column, instances: readonly InstanceStatus[]): number {
  if (column.key === "log") return column.widthMin;
  const widest = widestText(column, instances);
  return column.key === "name" ? Math.min(widest, nameWidthMax) : widest;
}

function widestText(column: Column, instances: readonly InstanceStatus[]): number {
  return instances.reduce((width, instance) => Math.max(width, textWidth(column.text(instance))), column.widthMin);
}

function totalWidth(columns: readonly SizedColumn[]): number {
  return columns.reduce((sum, { width }) => sum + width, gap.length * (columns.length - 1));
}

function headingLine(columns: readonly SizedColumn[], width: number, colour: boolean): string {
  const cells = columns.map((column) => fitted(column.heading, column.width, column.align));
  return styled("dim", truncated(cells.join(gap).trimEnd(), width), colour);
}

/** The row of an instance, and the row that says why when it needs a person's attention. */
function instanceLines(
  instance: InstanceStatus,
  columns: readonly SizedColumn[],
  width: number,
  colour: boolean,
): readonly string[] {
  const cells = columns.map((column) => fitted(column.text(instance), column.width, column.align));
  const isTooNarrow = totalWidth(columns) > width;
  const row = isTooNarrow
    ? truncated(cells.join(gap), width)
    : cells.map((cell, at) => cellStyle(cell, columns[at]!, instance, colour)).join(gap);
  if (!hasReasonBelow.has(instance.state) || instance.reason === undefined) return [row.trimEnd()];
  const reason = truncated(`  └ ${plainText(instance.reason)}`, width);
  return [row.trimEnd(), styled(stateStyles[instance.state], reason, colour)];
}

function cellStyle(cell: string, column: Column, { state }: InstanceStatus, colour: boolean): string {
  if (column.key === "state") return styled(stateStyles[state], cell, colour);
  return column.key === "log" ? styled("dim", cell.trimEnd(), colour) : cell;
}
