/**
 * Screen: draws some lines in place on a terminal, and redraws what changed.
 *
 * Guarantees: at most `drawsPerSecondMax` draws a second, each of them one write with only the lines that changed.
 * It stays on the normal screen, so that scrolling back works and the last table stays when it ends. The cursor
 * and line wrapping are restored at the end, also when colos ends by an uncaught error.
 * Limits: nothing else may write to the terminal meanwhile. After SIGKILL, which nobody can see coming, the cursor
 * stays hidden until `tput cnorm` or `reset`. A terminal that does not reflow lines when it gets narrower
 * may lose some lines above the table at that moment.
 * Not here: what the lines are (live.ts, progress-live.ts).
 *
 * @module
 */
import type { Clock } from "../base/platform.ts";
import type { Output } from "./host.ts";
import { textWidth } from "./text.ts";

/** Characters across and lines down. */
export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

/** Draws in a second when much happens. */
export const drawsPerSecondMax = 4;
/** Milliseconds between draws when nothing happens; figures such as the uptime change all the same. */
export const idleDrawMs = 1000;
/** What is assumed of a terminal that does not tell its size. */
export const sizeDefault: ScreenSize = { columns: 80, rows: 24 };

export interface ScreenOptions {
  readonly output: Output;
  readonly clock: Clock;
  readonly onExit: (listener: () => void) => () => void;
  /** The lines now: no more than fit, none too wide. `elapsedMs` is the time since the first draw. */
  readonly render: (size: ScreenSize, elapsedMs: number, hasEnded: boolean) => readonly string[];
}

/** What is drawn. */
export interface Screen {
  /** Draws as soon as the rate allows. */
  changed(): void;
  /** Leaves a line of text above what is drawn. */
  above(text: string): void;
  /** Draws the last time, and leaves that on the screen. Idempotent. */
  end(): void;
}

/** Draws from now on. */
export function startScreen(options: ScreenOptions): Screen {
  const screen = new LiveScreen(options);
  screen.start();
  return screen;
}

const hideCursor = "\u001b[?25l";
const showCursor = "\u001b[?25h";
const wrapOff = "\u001b[?7l";
const wrapOn = "\u001b[?7h";
const clearLine = "\u001b[2K";
const clearBelow = "\u001b[J";
const up = (lines: number) => (lines === 0 ? "" : `\u001b[${lines}A`);

class LiveScreen implements Screen {
  readonly #options: ScreenOptions;
  readonly #startedMs: number;
  readonly #undo: (() => void)[] = [];
  /** What stands on the screen now, above the cursor. */
  #lines: readonly string[] = [];
  #size: ScreenSize = { columns: 0, rows: 0 };
  #lastDrawMs = -Infinity;
  #cancelTimer: () => void = () => {};
  #timerDueMs = Infinity;
  #hasEnded = false;

  constructor(options: ScreenOptions) {
    this.#options = options;
    this.#startedMs = options.clock.monotonicMs();
  }

  start(): void {
    const { output, onExit } = this.#options;
    const resized = () => this.changed();
    output.on("resize", resized);
    this.#undo.push(
      () => output.off("resize", resized),
      onExit(() => this.#restore()),
    );
    output.write(hideCursor);
    this.#draw();
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#draw();
    this.#cancelTimer();
    for (const undo of this.#undo) undo();
    this.#restore();
  }

  #restore(): void {
    this.#options.output.write(wrapOn + showCursor);
  }

  changed(): void {
    this.#drawAt(this.#lastDrawMs + 1000 / drawsPerSecondMax);
  }

  above(text: string): void {
    const { output } = this.#options;
    const size = sizeOf(output);
    output.write(redrawn(this.#lines, [text, ...this.#lines], size));
  }

  #drawAt(dueMs: number): void {
    if (this.#hasEnded || dueMs >= this.#timerDueMs) return;
    const { clock } = this.#options;
    this.#cancelTimer();
    this.#timerDueMs = dueMs;
    this.#cancelTimer = clock.timer(Math.max(0, dueMs - clock.monotonicMs()), () => this.#draw());
  }

  #draw(): void {
    const { output, clock, render } = this.#options;
    const nowMs = clock.monotonicMs();
    const size = sizeOf(output);
    // The row below the table is the cursor's.
    const room = { columns: size.columns, rows: size.rows - 1 };
    const lines = render(room, nowMs - this.#startedMs, this.#hasEnded);
    const isSameSize = this.#size.columns === size.columns && this.#size.rows === size.rows;
    const text = isSameSize ? changes(this.#lines, lines) : redrawn(this.#lines, lines, size);
    if (text !== "") output.write(wrapOff + text + wrapOn);
    this.#lines = lines;
    this.#size = size;
    this.#lastDrawMs = nowMs;
    this.#timerDueMs = Infinity;
    this.#drawAt(nowMs + idleDrawMs);
  }
}

function sizeOf(output: Output): ScreenSize {
  return { columns: output.columns || sizeDefault.columns, rows: output.rows || sizeDefault.rows };
}

/** What to write so that `before`, above the cursor, becomes `after`. */
function changes(before: readonly string[], after: readonly string[]): string {
  const first = after.findIndex((line, at) => line !== before[at]);
  if (first < 0 && before.length === after.length) return "";
  const start = first < 0 ? after.length : first;
  const from = Math.min(start, before.length);
  const lines = after.slice(from).map((line, at) => (line === before[from + at] ? "\n" : `${clearLine}${line}\r\n`));
  return `\r${up(before.length - from)}${lines.join("")}${clearBelow}`;
}

/** The same after the size changed: a terminal then wraps what stood there anew, or moves it off the top. */
function redrawn(before: readonly string[], after: readonly string[], { columns, rows }: ScreenSize): string {
  const wrapped = before.reduce((sum, line) => sum + Math.max(1, Math.ceil(textWidth(line) / columns)), 0);
  return `\r${up(Math.min(wrapped, rows - 1))}${clearBelow}${after.map((line) => `${line}\r\n`).join("")}`;
}
