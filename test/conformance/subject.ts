/**
 * Subject: what a process under test runs, besides a puppet.
 *
 * @module
 */
import type { AnyProcess } from "colos";

export type Subject = (self: AnyProcess, ...args: readonly unknown[]) => unknown;
