/** supervisors: statements. */
import type { Statement } from "./statement.ts";

export const supervisors: readonly Statement[] = [];
