/**
 * Subjects: the bodies of the processes under test, by name, so that another carrier can run them too.
 *
 * @module
 */
import type { AnyProcess } from "colos";
import { kernelSubjects } from "./kernel-subjects.ts";
import { puppet } from "./puppet-body.ts";

export type Subject = (self: AnyProcess, ...args: readonly unknown[]) => unknown;

export const subjects: Readonly<Record<string, Subject>> = { puppet, ...kernelSubjects };
