/** servers: statements. */
import type { Statement } from "./statement.ts";

export const servers: readonly Statement[] = [];
