/**
 * Config text: a config as the text of a file, in each of the kinds that colos reads.
 *
 * Guarantees: read back, it is the same config.
 *
 * @module
 */
import { stringify } from "yaml";
import type { SystemConfig } from "../../control/config.ts";
import { isPlainObject } from "../../control/value-schema.ts";

/** Kinds of config files that are written. */
export type ConfigTextKind = "ts" | "js" | "json" | "yaml";

/** Characters of a line that is not broken further. */
const lineMax = 100;

/** The kind that a file's name asks for; undefined for none that is written. */
export function configTextKind(path: string): ConfigTextKind | undefined {
  const [, extension] = /\.(ts|js|mjs|json|ya?ml)$/.exec(path) ?? [];
  if (extension === undefined) return undefined;
  if (extension === "mjs") return "js";
  return extension === "yml" ? "yaml" : (extension as ConfigTextKind);
}

/** The text of a file with this config. */
export function configText(config: SystemConfig, kind: ConfigTextKind): string {
  switch (kind) {
    case "json":
      return `${JSON.stringify(config, undefined, 2)}\n`;
    case "yaml":
      return stringify(config, { lineWidth: 0, aliasDuplicateObjects: false });
    default:
      return `import { defineConfig } from "colos";\n\nexport default defineConfig(${literal(config, 0)});\n`;
  }
}

/** A JSON value as an expression. */
function literal(value: unknown, indent: number): string {
  const inline = inlineLiteral(value);
  const isTop = indent < 2 && isPlainObject(value);
  if (!isTop && indent * 2 + inline.length <= lineMax) return inline;
  const inner = "  ".repeat(indent + 1);
  const outer = "  ".repeat(indent);
  if (Array.isArray(value)) {
    return `[\n${value.map((item) => `${inner}${literal(item, indent + 1)},\n`).join("")}${outer}]`;
  }
  if (!isPlainObject(value)) return inline;
  const lines = entriesOf(value).map(([key, item]) => `${inner}${keyText(key)}: ${literal(item, indent + 1)},\n`);
  return `{\n${lines.join("")}${outer}}`;
}

function inlineLiteral(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => inlineLiteral(item)).join(", ")}]`;
  if (!isPlainObject(value)) return JSON.stringify(value);
  const entries = entriesOf(value).map(([key, item]) => `${keyText(key)}: ${inlineLiteral(item)}`);
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}

function entriesOf(value: Record<string, unknown>): [string, unknown][] {
  return Object.entries(value).filter(([, item]) => item !== undefined);
}

/** In a literal `__proto__` would be the prototype. */
function keyText(key: string): string {
  if (key === "__proto__") return '["__proto__"]';
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key);
}
