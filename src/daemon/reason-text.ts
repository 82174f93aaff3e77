/**
 * Reason text: why something ended or did not start, as the end of a sentence for a person.
 *
 * Guarantees: an error that colos made speaks for itself; one from a program comes with its name and, when its stack
 * says so, with the file and line in which it was thrown. Never throws.
 *
 * @module
 */
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describeReason, type ExitReason } from "../kernel/exit-reason.ts";
import { isOwnPlace } from "../platforms/node/node-platform.ts";

/** Errors whose message is a whole sentence, place included. */
const selfSpeaking: ReadonlySet<string> = new Set([
  "EnvironmentError",
  "ManagerError",
  "NotReadyError",
  "PortInUseError",
  "ProgramError",
  "RunStartError",
]);

/** `exit code 3`, `port 80 is already in use by …`, `TypeError: x is not a function (server.ts:12)`. */
export function reasonText(reason: ExitReason): string {
  if (!(reason instanceof Error)) return describeReason(reason);
  if (selfSpeaking.has(reason.name)) return reason.message;
  const text = reason.name === "Error" && reason.message !== "" ? reason.message : describeReason(reason);
  const place = placeIn(reason.stack);
  return place === undefined ? text : `${text} (${place})`;
}

/** The file and line of the first frame outside of colos and Node. */
function placeIn(stack: unknown): string | undefined {
  if (typeof stack !== "string") return undefined;
  for (const [, path, line] of stack.matchAll(
    /^ +at (?:.*\()?(?:async )?((?:file:\/\/)?\/[^()\n]+?):(\d+):\d+\)?$/gm,
  )) {
    const file = path!.startsWith("file:") ? decoded(path!) : path!;
    if (isOwnPlace(file)) continue;
    const near = relative(process.cwd(), file);
    return `${near.startsWith("..") ? file : near}:${line}`;
  }
  return undefined;
}

function decoded(url: string): string {
  try {
    return fileURLToPath(url);
  } catch {
    return url;
  }
}
