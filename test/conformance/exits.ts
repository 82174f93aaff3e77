/** exits: statements. */
import type { Statement } from "./statement.ts";

export const exits: readonly Statement[] = [];
