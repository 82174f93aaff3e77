/**
 * Config positions: where in a YAML or JSON text each key and list item is written, and which keys are written
 * twice. JSON is read as YAML here, which it is a part of.
 *
 * Guarantees: the first of several equal keys gives the position; a text with syntax errors still gives the
 * positions of what was understood.
 * Not here: what the keys may be (control/config-schema.ts).
 *
 * @module
 */
import { type Document, isMap, isScalar, isSeq, type LineCounter, type Node } from "yaml";
import type { ConfigPosition } from "../control/config-parser.ts";
import type { ConfigPath } from "../control/value-schema.ts";

/** A key that stands twice in the same object. */
export interface DuplicateKey {
  readonly path: ConfigPath;
  readonly position: ConfigPosition;
  readonly first: ConfigPosition;
}

/** What is known about the places in one text. */
export interface ConfigPositions {
  readonly locate: (path: ConfigPath) => ConfigPosition | undefined;
  readonly duplicates: readonly DuplicateKey[];
}

/** Walks a parsed document; `lines` is the counter that it was parsed with. */
export function configPositions(document: Document.Parsed, lines: LineCounter): ConfigPositions {
  const known = new Map<string, ConfigPosition>();
  const duplicates: DuplicateKey[] = [];

  const visit = (node: unknown, path: ConfigPath): void => {
    if (isMap(node)) {
      for (const { key, value } of node.items) {
        if (isScalar(key)) note(key, [...path, String(key.value)], value);
      }
    } else if (isSeq(node)) {
      for (const [index, item] of node.items.entries()) note(item as Node, [...path, index], item);
    }
  };
  const note = (place: Node, path: ConfigPath, value: unknown): void => {
    const position = positionAt(lines, place.range?.[0] ?? 0);
    const first = known.get(JSON.stringify(path));
    if (first !== undefined) {
      duplicates.push({ path, position, first });
      return;
    }
    known.set(JSON.stringify(path), position);
    visit(value, path);
  };
  visit(document.contents, []);
  return { locate: (path) => known.get(JSON.stringify(path)), duplicates };
}

/** The line and column of an offset, both counted from 1. */
export function positionAt(lines: LineCounter, offset: number): ConfigPosition {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}
