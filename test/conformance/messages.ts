/** messages: statements. */
import type { Statement } from "./statement.ts";

export const messages: readonly Statement[] = [];
