/** processes: statements. */
import type { Statement } from "./statement.ts";

export const processes: readonly Statement[] = [];
