/**
 * Mutants: all planted defects, in the order of the table in docs/failure-testing.md.
 *
 * @module
 */
import { borderMutants } from "./border-mutants.ts";
import { kernelMutants } from "./kernel-mutants.ts";
import type { Mutant } from "./mutant.ts";
import { serverMutants } from "./server-mutants.ts";
import { supervisorMutants } from "./supervisor-mutants.ts";

export const mutants: readonly Mutant[] = [...kernelMutants, ...borderMutants, ...serverMutants, ...supervisorMutants];
