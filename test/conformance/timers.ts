/** timers: statements. */
import type { Statement } from "./statement.ts";

export const timers: readonly Statement[] = [];
