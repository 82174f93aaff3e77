/** monitors: statements. */
import type { Statement } from "./statement.ts";

export const monitors: readonly Statement[] = [];
