/**
 * Subjects: the bodies of the processes under test, by name, so that another carrier can run them too.
 *
 * @module
 */
import { kernelSubjects } from "./kernel-subjects.ts";
import { puppet } from "./puppet-body.ts";
import { serverSubjects } from "./server-subjects.ts";
import type { Subject } from "./subject.ts";

export const subjects: Readonly<Record<string, Subject>> = { puppet, ...kernelSubjects, ...serverSubjects };
