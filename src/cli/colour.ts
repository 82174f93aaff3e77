/**
 * Colour: whether to colour, and what the colours mean. The only place that knows either.
 *
 * Guarantees: colour never carries a meaning that the text does not; with `NO_COLOR` there is none.
 *
 * @module
 */
import { styleText } from "node:util";
import type { InstanceState } from "../control/service.ts";

/** What `styleText` knows. */
export type Style = Parameters<typeof styleText>[0];

/** Whether output goes to something that shows colours, and nobody objects (no-color.org, force-color.org). */
export function wantsColour(env: Readonly<Record<string, string | undefined>>, isTerminal: boolean): boolean {
  if ((env["NO_COLOR"] ?? "") !== "") return false;
  const force = env["FORCE_COLOR"] ?? "";
  if (force !== "") return force !== "0";
  return isTerminal && env["TERM"] !== "dumb";
}

/** The text in this style, or unchanged. */
export function styled(style: Style, text: string, colour: boolean): string {
  return colour && text !== "" ? styleText(style, text, { validateStream: false }) : text;
}

/** How each state looks. */
export const stateStyles: Readonly<Record<InstanceState, Style>> = {
  waiting: "cyan",
  starting: "cyan",
  ready: "green",
  stopping: "yellow",
  stopped: "dim",
  backoff: "yellow",
  degraded: "yellow",
  scheduled: "dim",
  failed: "red",
};

const nameStyles: readonly Style[] = ["cyan", "magenta", "blue", "green", "yellow", "cyanBright", "magentaBright"];

/** A style for the service at this place; neighbours differ. */
export function nameStyle(index: number): Style {
  return nameStyles[index % nameStyles.length]!;
}
