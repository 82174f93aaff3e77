/**
 * View: the table of a running system as lines of text. Pure: the same instances, size and options give the same
 * lines.
 *
 * Guarantees: never more lines than rows and never a line wider than the columns. Columns keep their place while
 * figures change. The more important stays when space is short: first whole columns go (`dropOrder`), then
 * instances, and the last line says how many. What a service wrote cannot do anything to the terminal.
 * Not here: when and where the lines are drawn (live.ts).
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
/** Rows from which on the table has a heading. */
export const rowsForHeading = 5;

/** Characters across and lines down. */
export interface ViewSize {
  readonly columns: number;
  readonly rows: number;
}

export interface ViewOptions {
  /** What the system is called. */
  readonly title: string;
  readonly colour: boolean;
  readonly phase: "running" | "stopping" | "ended";
  /** Since the system was started. */
  readonly elapsedMs: number;
}

/** Draws the table. */
export function renderView(instances: readonly InstanceStatus[], size: ViewSize, options: ViewOptions): string[] {
  const { rows, columns } = size;
  const state = stateLine(instances, columns, options);
  if (rows <= 1) return rows < 1 ? [] : [state];
  const shownColumns = columnsFor(instances, columns);
  const blocks = instances.map((instance) => instanceLines(instance, shownColumns, columns, options.colour));
  const heading = rows < rowsForHeading ? [] : [headingLine(shownColumns, columns, options.colour)];
  const linesCount = 1 + heading.length + blocks.reduce((sum, { length }) => sum + length, 0);
  if (linesCount < rows) return [state, "", ...heading, ...blocks.flat()];
  return [state, ...heading, ...fittingLines(blocks, instances, rows - 1 - heading.length, size, options.colour)];
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

const gap = "  ";

function figure(value: number | undefined, text: (value: number) => string): string {
  return value === undefined ? "-" : text(value);
}

function logText({ lastLogLine, reason, state }: InstanceStatus): string {
  const isReasonShownBelow = state === "failed" || state === "backoff";
  return plainText(lastLogLine ?? (isReasonShownBelow ? "" : (reason ?? "")));
}

/** The columns that fit, each as wide as its widest text; the log line takes what is left. */
function columnsFor(instances: readonly InstanceStatus[], columns: number): readonly SizedColumn[] {
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
  const widest = instances.reduce(
    (width, instance) => Math.max(width, textWidth(column.text(instance))),
    column.widthMin,
  );
  return column.key === "name" ? Math.min(widest, nameWidthMax) : widest;
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
  const needsReason = instance.state === "failed" || instance.state === "backoff";
  if (!needsReason || instance.reason === undefined) return [row.trimEnd()];
  const reason = truncated(`  └ ${plainText(instance.reason)}`, width);
  return [row.trimEnd(), styled(stateStyles[instance.state], reason, colour)];
}

function cellStyle(cell: string, column: Column, { state }: InstanceStatus, colour: boolean): string {
  if (column.key === "state") return styled(stateStyles[state], cell, colour);
  return column.key === "log" ? styled("dim", cell.trimEnd(), colour) : cell;
}

/** As many blocks as fit, whole, and a line about the rest. */
function fittingLines(
  blocks: readonly (readonly string[])[],
  instances: readonly InstanceStatus[],
  rows: number,
  { columns }: ViewSize,
  colour: boolean,
): readonly string[] {
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

const countedAs: Readonly<Partial<Record<InstanceState, string>>> = { backoff: "in backoff" };

function countsText(instances: readonly InstanceStatus[], states: readonly InstanceState[]): string {
  const counts = states.map((state) => [instances.filter((each) => each.state === state).length, state] as const);
  return counts
    .filter(([count]) => count > 0)
    .map(([count, state]) => `${count} ${countedAs[state] ?? state}`)
    .join(", ");
}
