/**
 * Suite: all statements, and how they run on one carrier.
 *
 * @module
 */
import { afterAll, beforeAll, describe, test } from "vitest";
import { Stage } from "./ground.ts";
import type { ConformanceCarrier, Statement } from "./statement.ts";
import { exits } from "./exits.ts";
import { links } from "./links.ts";
import { messages } from "./messages.ts";
import { monitors } from "./monitors.ts";
import { names } from "./names.ts";
import { processes } from "./processes.ts";
import { servers } from "./servers.ts";
import { supervisors } from "./supervisors.ts";
import { timers } from "./timers.ts";

export interface Group {
  /** The letter of the ids. */
  readonly letter: string;
  readonly title: string;
  readonly statements: readonly Statement[];
}

export const groups: readonly Group[] = [
  { letter: "P", title: "Processes", statements: processes },
  { letter: "M", title: "Messages and mailbox", statements: messages },
  { letter: "E", title: "Exit signals", statements: exits },
  { letter: "L", title: "Links", statements: links },
  { letter: "N", title: "Monitors and aliases", statements: monitors },
  { letter: "R", title: "Names", statements: names },
  { letter: "T", title: "Timers", statements: timers },
  { letter: "G", title: "Servers", statements: servers },
  { letter: "S", title: "Supervisors", statements: supervisors },
];

/** Runs every statement with its processes on `carrier`; an exception is skipped with its sentence. */
export function testConformance(carrier: ConformanceCarrier): void {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open(carrier);
  });
  afterAll(() => stage.close());

  for (const { title, statements } of groups.filter((group) => group.statements.length > 0)) {
    describe(`${title} on ${carrier}`, () => {
      for (const statement of statements) {
        test(`${statement.id} ${statement.sentence}`, async (context) => {
          const exception = statement.except?.[carrier];
          if (exception !== undefined) return context.skip(exception);
          const ground = stage.ground();
          await statement.prove(ground);
          await ground.clear();
        });
      }
    });
  }
}
