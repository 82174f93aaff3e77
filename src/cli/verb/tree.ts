/**
 * `colos tree`: the system, its services, their instances and OS processes, one below the other.
 *
 * @module
 */
import type { TreeNode } from "../../control/manager.ts";
import { managerVerb } from "../call.ts";
import { styled } from "../colour.ts";
import { exitCodes } from "../exit-codes.ts";
import { plainText, truncated } from "../text.ts";
import type { Verb } from "../verb.ts";

export const tree: Verb = managerVerb({
  notes: ["Lines are ASCII where the locale (LC_ALL, LC_CTYPE, LANG) is not UTF-8."],
  read: (words) => words.none(),
  run: async (_, call) => {
    const root = await (await call.connect()).tree();
    if (call.isJson) call.json(root);
    else if (!call.isQuiet) {
      const strokes = isUtf8(call.host.env) ? boxStrokes : asciiStrokes;
      call.print(nodeLines(root, strokes, call.columns, call.colour));
    }
    return exitCodes.ok;
  },
});

interface Strokes {
  readonly fork: string;
  readonly last: string;
  readonly through: string;
}

const boxStrokes: Strokes = { fork: "├─ ", last: "└─ ", through: "│  " };
const asciiStrokes: Strokes = { fork: "|- ", last: "`- ", through: "|  " };

function isUtf8(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = [env["LC_ALL"], env["LC_CTYPE"], env["LANG"]].find((each) => each !== undefined && each !== "");
  return /utf-?8/i.test(locale ?? "");
}

function nodeLines(
  { name, text, children, kind }: TreeNode,
  strokes: Strokes,
  columns: number,
  colour: boolean,
  first = "",
  below = "",
): readonly string[] {
  const line = truncated(plainText(`${first}${name}: ${text}`), columns);
  const start = `${first}${plainText(name)}`;
  const isStyled = kind === "service" && line.startsWith(start);
  const shown = isStyled ? `${first}${styled("bold", line.slice(first.length, start.length), colour)}` : line;
  return [
    isStyled ? shown + line.slice(start.length) : line,
    ...children.flatMap((child, at) => {
      const isLast = at === children.length - 1;
      const stroke = isLast ? strokes.last : strokes.fork;
      const next = below + (isLast ? " ".repeat(strokes.through.length) : strokes.through);
      return nodeLines(child, strokes, columns, colour, below + stroke, next);
    }),
  ];
}
