/**
 * Text: what a terminal makes of a text, and texts that cannot do anything to a terminal.
 *
 * Guarantees: `plainText` leaves nothing that moves a cursor, changes colours, titles or the direction of writing.
 * `textWidth` counts columns: 2 for East Asian wide characters and emoji, 0 for marks that combine.
 * Limits: widths are those of code points, as most terminals count them, so an emoji joined of several counts as
 * the sum; a terminal that joins them shows a shorter line, never a longer one.
 *
 * @module
 */

/** UTF-16 units of a text that are looked at; a longer line is cut here before anything else. */
export const lineLengthMax = 16_384;
/** Marks on one character; more would be painted over the neighbouring lines. */
const marksMax = 4;

/** CSI, then strings (OSC, DCS, SOS, PM, APC) up to their end, then every other escape; 7-bit and 8-bit forms. */
const escapes =
  // oxlint-disable-next-line no-control-regex
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g;
/** The one escape that only colours: CSI … m. */
// oxlint-disable-next-line no-control-regex
const colours = /^\u001b\[[\d;:]*m$/;
/** Control characters, and format characters except the two joiners that scripts and emoji need. */
const controls = /[\p{Cc}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf}/gu;
const manyMarks = new RegExp(`(\\p{M}{${marksMax}})\\p{M}+`, "gu");

/** A line without anything that a terminal would obey. Of a line that overwrites itself (`\r`) the last text stays. */
export function plainText(line: string): string {
  return withoutControls(cutLine(line).replace(escapes, ""));
}

/** The same, but colours (SGR) stay and are ended at the end of the line. */
export function colouredText(line: string): string {
  let text = "";
  let end = 0;
  let isColoured = false;
  const whole = cutLine(line);
  for (const match of whole.matchAll(escapes)) {
    text += withoutControls(whole.slice(end, match.index));
    end = match.index + match[0].length;
    if (!colours.test(match[0])) continue;
    text += match[0];
    isColoured = true;
  }
  text += withoutControls(whole.slice(end));
  return isColoured ? `${text}\u001b[0m` : text;
}

/** The columns that a text takes; escapes take none. */
export function textWidth(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text.replace(escapes, "")) width += characterWidth(character);
  return width;
}

/** At most `width` columns of a text without escapes; what is cut off leaves an ellipsis. */
export function truncated(text: string, width: number): string {
  if (width <= 0) return "";
  if (text.length <= width && /^[ -~]*$/.test(text)) return text;
  let used = 0;
  let kept = "";
  let keptBeforeEllipsis = "";
  for (const character of text) {
    used += characterWidth(character);
    if (used > width) return `${keptBeforeEllipsis}…`;
    kept += character;
    if (used < width) keptBeforeEllipsis = kept;
  }
  return text;
}

/** Exactly `width` columns: cut off, or filled with spaces behind (or before). */
export function fitted(text: string, width: number, align: "left" | "right" = "left"): string {
  const cut = truncated(text, width);
  const fill = " ".repeat(Math.max(0, width - textWidth(cut)));
  return align === "left" ? cut + fill : fill + cut;
}

function cutLine(line: string): string {
  const cut = line.length > lineLengthMax ? line.slice(0, lineLengthMax) : line;
  if (!cut.includes("\r")) return cut;
  return cut.split("\r").findLast((part) => part !== "") ?? "";
}

function withoutControls(text: string): string {
  if (/^[ -~]*$/.test(text)) return text;
  return text
    .replaceAll("\t", " ")
    .replace(controls, "")
    .replace(manyMarks, "$1")
    .replace(/\p{Cs}/gu, "\ufffd");
}

function characterWidth(character: string): number {
  const code = character.codePointAt(0)!;
  if (code < 0x300) return code < 0x20 || (code >= 0x7f && code < 0xa0) ? 0 : 1;
  // U+FE0F asks for the emoji form of a character that was counted as narrow.
  if (code === 0xfe0f) return 1;
  if (/^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]$/u.test(character)) return 0;
  return isWide(code) || /^\p{Emoji_Presentation}$/u.test(character) ? 2 : 1;
}

/** Ranges of East Asian Width W and F (Unicode 16), apart from emoji: first and last code point in turn. */
const wideRanges: readonly number[] = [
  0x1100, 0x115f, 0x2329, 0x232a, 0x2630, 0x2637, 0x268a, 0x268f, 0x2e80, 0x303e, 0x3041, 0x33ff, 0x3400, 0x4dbf,
  0x4dc0, 0x4dff, 0x4e00, 0x9fff, 0xa000, 0xa4cf, 0xa960, 0xa97f, 0xac00, 0xd7a3, 0xf900, 0xfaff, 0xfe10, 0xfe19,
  0xfe30, 0xfe6f, 0xff01, 0xff60, 0xffe0, 0xffe6, 0x16fe0, 0x18dff, 0x1aff0, 0x1b2ff, 0x1d300, 0x1d376, 0x1f200,
  0x1f265, 0x20000, 0x3fffd,
];

function isWide(code: number): boolean {
  for (let at = 0; at < wideRanges.length && code >= wideRanges[at]!; at += 2) {
    if (code <= wideRanges[at + 1]!) return true;
  }
  return false;
}
