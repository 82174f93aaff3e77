/**
 * Log lines: what services wrote, as lines for a person: whose it is, in a colour of its own, and the text.
 *
 * @module
 */
import type { LogEntry } from "../control/log.ts";
import { instanceName } from "../control/service.ts";
import { nameStyle, styled } from "./colour.ts";
import { timeText } from "./figures.ts";
import { colouredText, fitted, plainText } from "./text.ts";

export interface LogLineOptions {
  readonly colour: boolean;
  /** Services in a fixed order, which decides their colours. */
  readonly services: readonly string[];
  /** Whose line it is stands before it. */
  readonly showsName: boolean;
  readonly showsTime: boolean;
}

/** A function from entries to lines; names are aligned with those before. */
export function logLine(options: LogLineOptions): (entry: LogEntry) => string {
  const services = [...options.services];
  let width = 0;
  return ({ service, instance, at, text }) => {
    const shown = options.colour ? colouredText(text) : plainText(text);
    const time = options.showsTime ? `${styled("dim", timeText(at), options.colour)} ` : "";
    if (!options.showsName) return time + shown;
    const name = instanceName(service, instance);
    width = Math.max(width, name.length);
    if (!services.includes(service)) services.push(service);
    const prefix = styled(nameStyle(services.indexOf(service)), `${fitted(name, width)} |`, options.colour);
    return `${time}${prefix} ${shown}`.trimEnd();
  };
}
