/**
 * Shrink: a program that still goes wrong, with as few instructions as can be found by leaving out one after the other.
 *
 * @module
 */
import type { Instruction, Program, Role } from "./program.ts";

/** Shrinks while `goesWrong` says so; it may run the program several times. */
export async function shrink(
  program: Program,
  goesWrong: (smaller: Program) => Promise<boolean>,
  triesMax: number,
): Promise<Program> {
  let smallest = program;
  let triesLeft = triesMax;
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false;
    for (let role = smallest.length - 1; role >= 0; role -= 1) {
      for (let at = (smallest[role]?.length ?? 0) - 1; at >= 0; at -= 1) {
        if ((triesLeft -= 1) < 0) return smallest;
        const candidate = withoutInstruction(smallest, role, at);
        if (!(await goesWrong(candidate))) continue;
        smallest = candidate;
        isSmaller = true;
      }
    }
  }
  return smallest;
}

/** The program without one instruction; what is about its monitor or timer goes too. */
export function withoutInstruction(program: Program, role: Role, at: number): Program {
  return program.map((body, other) => (other === role ? withoutAt(body, at) : body));
}

function withoutAt(body: readonly Instruction[], at: number): readonly Instruction[] {
  const dependent = body.findIndex((instruction) => positionOf(instruction) === at);
  if (dependent !== -1) return withoutAt(withoutAt(body, dependent), at);
  return body.toSpliced(at, 1).map((instruction) => {
    const position = positionOf(instruction);
    if (position === undefined || position < at) return instruction;
    if (instruction.op === "demonitor") return { ...instruction, monitor: position - 1 };
    return instruction.op === "cancelTimer" ? { ...instruction, timer: position - 1 } : instruction;
  });
}

function positionOf(instruction: Instruction): number | undefined {
  if (instruction.op === "demonitor") return instruction.monitor;
  return instruction.op === "cancelTimer" ? instruction.timer : undefined;
}
