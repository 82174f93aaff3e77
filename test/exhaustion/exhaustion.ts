/**
 * Exhaustion: each kind of shortage of colos itself, for as long as a person wants, told to that person.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { exhaust } from "./exhaust.ts";
import { kinds } from "./kinds.ts";
import { passed } from "./system.ts";

/** @returns the exit code */
export async function main(args: readonly string[], dist: URL): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: "string", default: "60" },
      kind: { type: "string", multiple: true },
      keep: { type: "boolean", default: false },
    },
  });
  const thirdMs = (Number(values.seconds) * 1000) / 3;
  if (!(thirdMs > 0)) throw new Error(`--seconds ${values.seconds} is no time`);
  const unknown = values.kind?.find((name) => !kinds.some((kind) => kind.name === name));
  if (unknown !== undefined)
    throw new Error(`there is no kind ${unknown}: ${kinds.map(({ name }) => name).join(", ")}`);
  let failedCount = 0;
  for (const kind of kinds.filter(({ name }) => values.kind?.includes(name) ?? true)) {
    process.stdout.write(`${kind.name}: ${kind.about}\n`);
    const absent = kind.absent(dist);
    if (absent !== undefined) {
      process.stdout.write(`  skipped: ${absent}\n`);
      continue;
    }
    const third = (): Promise<void> => passed(thirdMs);
    const { problems, figures, folder } = await exhaust({ dist, kind, third, keep: values.keep });
    for (const figure of figures) process.stdout.write(`  ${figure}\n`);
    for (const problem of problems) process.stdout.write(`  PROBLEM ${problem}\n`);
    if (values.keep) process.stdout.write(`  kept in ${folder}\n`);
    process.stdout.write(problems.length === 0 ? "  held\n" : "  FAILED\n");
    if (problems.length > 0) failedCount += 1;
  }
  return failedCount === 0 ? 0 : 1;
}
