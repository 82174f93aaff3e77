/**
 * Generator: random programs from a seed. The same seed and index give the same program on every machine.
 *
 * Guarantees: each role is spawned by exactly one process, and before anything of the sort could matter to it; positions
 * name monitors and timers that exist. What a program does is otherwise left to chance: most instructions are about processes
 * that are known by then, a few about strangers.
 *
 * @module
 */
import {
  delayMaxMs,
  type Instruction,
  type Match,
  type Name,
  type Program,
  type Reason,
  type Role,
} from "./program.ts";

/** What a carrier can do decides what is generated for it. */
export interface GeneratorOptions {
  /**
   * For processes in kernels of their own. Without names, `isAlive` and `whereis`, which are about one kernel. And role 0
   * spawns all others, because what a program on a thread has spawned ends with its kernel.
   */
  readonly kernelsMany?: boolean;
}

/** mulberry32: small, and good enough to pick instructions. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number in [0, bound). */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

/** The program number `index` of `seed`. */
export function generateProgram(seed: number, index: number, options: GeneratorOptions = {}): Program {
  const random = new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  // Near seeds give near states; a few draws set them apart.
  for (let draw = 0; draw < 4; draw += 1) random.below(2);
  return new Generation(random, options).program();
}

/** How often each instruction is drawn, relative to the others. */
const weights = {
  send: 16,
  receive: 22,
  link: 8,
  unlink: 7,
  monitor: 8,
  demonitor: 5,
  exit: 9,
  exitSelf: 2,
  trapExit: 6,
  introduce: 4,
  await: 2,
  sendAfter: 4,
  startTimer: 4,
  cancelTimer: 4,
  pause: 6,
  register: 8,
  unregister: 3,
  whereis: 4,
  sendName: 5,
  monitorName: 3,
  sendAfterName: 2,
  isAlive: 3,
} as const;
type Drawn = keyof typeof weights;

const aboutOneKernel: ReadonlySet<Drawn> = new Set<Drawn>([
  "register",
  "unregister",
  "whereis",
  "sendName",
  "monitorName",
  "sendAfterName",
  "isAlive",
]);

const reasons: readonly Reason[] = ["normal", "kill", "killed", "shutdown", "boom", "noproc", "tagged:1"];
const matches: readonly Match[] = ["any", "any", "any", "a", "b", "exit", "down", "timeout"];

class Generation {
  readonly #random: Random;
  readonly #drawable: readonly Drawn[];
  readonly #rolesCount: number;
  readonly #kernelsMany: boolean;

  constructor(random: Random, { kernelsMany = false }: GeneratorOptions) {
    this.#random = random;
    this.#kernelsMany = kernelsMany;
    const names = Object.keys(weights) as Drawn[];
    // A program leaves out a part of the instructions, often most of them, so that the rest meet more often.
    const omitPercent = random.pick([10, 40, 70]);
    const used = names.filter((name) => !(kernelsMany && aboutOneKernel.has(name)) && !random.chance(omitPercent));
    this.#drawable = [...new Set<Drawn>([...used, "send", "receive"])].flatMap((name) =>
      Array<Drawn>(weights[name]).fill(name),
    );
    this.#rolesCount = 2 + random.below(random.chance(20) ? 5 : 3);
  }

  program(): Program {
    const bodies: Instruction[][] = Array.from({ length: this.#rolesCount }, () => []);
    const knows: Set<Role>[] = bodies.map(() => new Set());
    knows[0]?.add(0);
    for (let role = 1; role < this.#rolesCount; role += 1) this.#spawn(role, bodies, knows);
    for (const [role, body] of bodies.entries()) this.#fill(role, body, knows[role] as Set<Role>);
    return bodies;
  }

  /** One of the roles so far spawns `role`, tells some of those it knows, and they may wait for it. */
  #spawn(role: Role, bodies: Instruction[][], knows: Set<Role>[]): void {
    const parent = this.#kernelsMany || this.#random.chance(70) ? 0 : this.#random.below(role);
    const body = bodies[parent] as Instruction[];
    for (let count = this.#random.below(3); count > 0; count -= 1) this.#add(parent, body, knows[parent] as Set<Role>);
    body.push({ op: "spawn", role, how: this.#random.pick(["spawn", "link", "monitor"]) });
    knows[parent]?.add(role);
    knows[role] = new Set(knows[parent]);
    for (let other = 0; other < role; other += 1) {
      if (other === parent || knows[parent]?.has(other) !== true || !this.#random.chance(60)) continue;
      body.push({ op: "introduce", who: role, to: other });
      if (!this.#random.chance(70)) continue;
      (bodies[other] as Instruction[]).push({ op: "await", who: role });
      knows[other]?.add(role);
    }
  }

  #fill(role: Role, body: Instruction[], knows: Set<Role>): void {
    const isTrapping = this.#random.chance(35);
    // Behind the spawns the positions of monitors and timers no longer move.
    if (isTrapping) body.push({ op: "trapExit", on: true });
    for (let count = 1 + this.#random.below(6); count > 0; count -= 1) this.#add(role, body, knows);
    if (this.#random.chance(40)) body.push({ op: "park" });
  }

  #add(role: Role, body: Instruction[], knows: Set<Role>): void {
    const instruction = this.#draw(role, body, knows);
    if (instruction !== undefined) body.push(instruction);
  }

  /** Undefined when the drawn instruction has nothing to be about. */
  #draw(role: Role, body: readonly Instruction[], knows: Set<Role>): Instruction | undefined {
    const random = this.#random;
    const delayMs = random.below(delayMaxMs + 1);
    const tag = random.pick(["a", "b"] as const);
    const name: Name = random.chance(75) ? "x" : "y";
    const op = random.pick(this.#drawable);
    switch (op) {
      case "receive":
        return { op, match: random.pick(matches), timeoutMs: random.pick([0, 1, delayMaxMs, null, null]) };
      case "send":
      case "sendAfter":
      case "startTimer":
        return op === "send"
          ? { op, to: this.#someone(role, knows), tag }
          : { op, delayMs, to: this.#someone(role, knows), tag };
      case "link":
      case "unlink":
      case "monitor":
        return { op, to: this.#someone(role, knows) };
      case "exit":
        return { op, to: this.#someone(role, knows), reason: random.pick(reasons) };
      case "exitSelf":
        return { op, reason: random.pick(reasons) };
      case "trapExit":
        return { op, on: random.chance(60) };
      case "introduce":
        return { op, who: this.#someone(role, knows), to: this.#someone(role, knows) };
      case "await":
      case "isAlive":
        return { op, who: this.#someone(role, knows) };
      case "pause":
        return { op, durationMs: random.below(3) };
      case "register":
        return { op, name, who: random.chance(50) ? role : this.#someone(role, knows) };
      case "unregister":
      case "whereis":
      case "monitorName":
        return { op, name };
      case "sendName":
        return { op, name, tag };
      case "sendAfterName":
        return { op, delayMs, name, tag };
      case "demonitor": {
        const monitor = this.#position(body, isMonitor);
        return monitor === undefined ? undefined : { op, monitor, flush: random.chance(50) };
      }
      case "cancelTimer": {
        const timer = this.#position(body, isTimer);
        return timer === undefined ? undefined : { op, timer };
      }
    }
  }

  /** Mostly another process that is known; sometimes itself or a stranger. */
  #someone(role: Role, knows: Set<Role>): Role {
    if (this.#random.chance(6)) return role;
    if (this.#random.chance(3)) return this.#random.below(this.#rolesCount);
    const others = [...knows].filter((other) => other !== role);
    return others.length === 0 ? role : this.#random.pick(others);
  }

  #position(body: readonly Instruction[], isIt: (instruction: Instruction) => boolean): number | undefined {
    const positions = body.flatMap((instruction, at) => (isIt(instruction) ? [at] : []));
    return positions.length === 0 ? undefined : this.#random.pick(positions);
  }
}

/** Whether the instruction makes a monitor. */
export function isMonitor(instruction: Instruction): boolean {
  const { op } = instruction;
  return op === "monitor" || op === "monitorName" || (op === "spawn" && instruction.how === "monitor");
}

/** Whether the instruction starts a timer. */
export function isTimer({ op }: Instruction): boolean {
  return op === "sendAfter" || op === "sendAfterName" || op === "startTimer";
}
