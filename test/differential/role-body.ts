/**
 * Role body: the interpreter of one role of a program, as the body of a colos process, on any carrier.
 *
 * Guarantees: each instruction is one call of the public API, and what it gave goes to the collector before the next one
 * begins. `otp/differential.erl` is its twin, function by function.
 *
 * @module
 */
import {
  Exit,
  isDown,
  isExit,
  ProcessEnded,
  program,
  timedOut,
  type AnyPid,
  type AnyProcess,
  type Pid,
  type Ref,
  type TimeoutMessage,
} from "colos";
import { Random } from "./generator.ts";
import type { Instruction, Match, Program, Reason, Role } from "./program.ts";

/** A mistake that the interpreter makes on purpose, so that a test can see it found. */
export type Fault =
  /** The first exit message is seen twice. */
  | "duplicateExit"
  /** `demonitor` does not flush. */
  | "noFlush"
  /** `unlink` does nothing. */
  | "noUnlink";

/** What a process of a program starts with; it crosses carriers. */
export interface RoleSetup {
  readonly collector: AnyPid;
  readonly program: Program;
  readonly role: Role;
  /** Pids by role; a role that is not known has none. */
  readonly knows: readonly (AnyPid | null)[];
  /** With `thread`, most roles but the first run on threads of their own. */
  readonly carrier: "coroutine" | "thread";
  /** The program file that runs `roleBody`, for carriers that take files. */
  readonly programUrl: string;
  /** Decides where the process lets others run first. */
  readonly seed: number;
  readonly fault?: Fault | undefined;
}

/** What the collector is told. Pids in it are told apart by it. */
export type Report =
  | { readonly type: "began"; readonly role: Role; readonly pid: AnyPid }
  | { readonly type: "spawned"; readonly role: Role; readonly child: Role; readonly pid: AnyPid }
  | { readonly type: "observed"; readonly role: Role; readonly observation: RawObservation }
  | { readonly type: "rest"; readonly role: Role; readonly rest: readonly RawObservation[] };

/** An observation with pids and reasons as colos has them. */
export type RawObservation =
  | string
  | readonly ["message" | "timeout", from: Role, at: number, tag: string]
  | readonly ["introduced", from: Role, at: number, who: Role]
  | readonly ["exit", from: AnyPid, reason: unknown]
  | readonly ["down", at: number, of: AnyPid | string, reason: unknown]
  | readonly ["pid", AnyPid];

/** What the collector asks for when nothing happens any more. */
export const finish = { type: "finish" } as const;

/** Per hundred instructions, so many let others run before. */
const yieldPercent = 40;

/** Runs the instructions of one role. */
export async function roleBody(self: AnyProcess, setup: RoleSetup): Promise<void> {
  await new Interpreter(self, setup).run();
}

/** The value of a reason that a program names. */
export function reasonValue(reason: Reason): unknown {
  return reason.startsWith("tagged:") ? { tag: "tagged", detail: Number(reason.slice("tagged:".length)) } : reason;
}

class Interpreter {
  readonly #self: AnyProcess;
  readonly #setup: RoleSetup;
  readonly #knows: (AnyPid | null)[];
  /** By position: monitors and timers. */
  readonly #refs = new Map<number, Ref>();
  readonly #random: Random;
  #faultsLeft = 1;

  constructor(self: AnyProcess, setup: RoleSetup) {
    this.#self = self;
    this.#setup = setup;
    this.#knows = [...setup.knows];
    this.#knows[setup.role] = self.pid;
    this.#random = new Random(setup.seed + setup.role);
  }

  async run(): Promise<void> {
    const { program, role } = this.#setup;
    this.#report({ type: "began", role, pid: this.#self.pid });
    for (const [at, instruction] of (program[role] ?? []).entries()) {
      if (this.#random.chance(yieldPercent)) await this.#self.yield();
      if (instruction.op === "exitSelf") {
        this.#report({ type: "observed", role, observation: "ok" });
        this.#self.exit(reasonValue(instruction.reason));
      }
      if (instruction.op === "park") await this.#take("none", null);
      const observation = await this.#perform(instruction, at);
      if (instruction.op === "spawn") continue;
      this.#report({ type: "observed", role, observation });
    }
  }

  #report(report: Report): void {
    this.#self.send(this.#setup.collector as Pid<Report>, report);
  }

  async #perform(instruction: Instruction, at: number): Promise<RawObservation> {
    const self = this.#self;
    switch (instruction.op) {
      case "spawn":
        return this.#spawn(instruction.role, instruction.how, at);
      case "introduce": {
        const { who } = instruction;
        const { role } = this.#setup;
        return this.#about([who, instruction.to], ([pid, to]) => {
          self.send(to as Pid<unknown>, { type: "introduced", from: role, at, who, pid });
          return "ok";
        });
      }
      case "await":
        return this.#await(instruction.who);
      case "send":
        return this.#about([instruction.to], ([pid]) => {
          self.send(pid as Pid<unknown>, this.#message(at, instruction.tag));
          return "ok";
        });
      case "sendName":
        return guarded(() => {
          self.send(instruction.name, this.#message(at, instruction.tag));
          return "ok";
        });
      case "receive":
        return this.#take(instruction.match, instruction.timeoutMs);
      case "link":
        return this.#about([instruction.to], ([pid]) => guarded(() => self.link(pid as AnyPid)));
      case "unlink":
        return this.#about([instruction.to], ([pid]) =>
          this.#setup.fault === "noUnlink" ? true : self.unlink(pid as AnyPid),
        );
      case "monitor":
        return this.#about([instruction.to], ([pid]) => this.#remember(at, self.monitor(pid as AnyPid)));
      case "monitorName":
        return this.#remember(at, self.monitor(instruction.name));
      case "demonitor": {
        const ref = this.#refs.get(instruction.monitor);
        const flush = instruction.flush && this.#setup.fault !== "noFlush";
        return String(ref !== undefined && self.demonitor(ref, { flush }));
      }
      case "exit":
        return this.#about([instruction.to], ([pid]) => self.exit(pid as AnyPid, reasonValue(instruction.reason)));
      case "trapExit":
        return String(self.trapExit(instruction.on));
      case "register":
        return this.#about([instruction.who], ([pid]) => guarded(() => self.register(instruction.name, pid) ?? true));
      case "unregister":
        return guarded(() => self.unregister(instruction.name) ?? true);
      case "whereis": {
        const pid = self.whereis(instruction.name);
        return pid === undefined ? "undefined" : ["pid", pid];
      }
      case "isAlive":
        return this.#about([instruction.who], ([pid]) => self.isAlive(pid as AnyPid));
      case "sendAfter":
      case "startTimer":
        return this.#about([instruction.to], ([pid]) => {
          const message = this.#message(at, instruction.tag, instruction.delayMs);
          return this.#remember(at, self[instruction.op](instruction.delayMs, pid as Pid<unknown>, message));
        });
      case "sendAfterName": {
        const message = this.#message(at, instruction.tag, instruction.delayMs);
        return this.#remember(at, self.sendAfter(instruction.delayMs, instruction.name, message));
      }
      case "cancelTimer": {
        const ref = this.#refs.get(instruction.timer);
        return String(ref !== undefined && self.cancelTimer(ref) !== false);
      }
      case "pause": {
        const dueMs = this.#nowMs() + instruction.durationMs;
        await self.receive(() => false, { timeoutMs: instruction.durationMs });
        return this.#inTime(dueMs, "ok");
      }
      case "exitSelf":
      case "park":
        throw new Error(`${instruction.op} has no observation`);
    }
  }

  #spawn(child: Role, how: "spawn" | "link" | "monitor", at: number): RawObservation {
    const { carrier, programUrl, role } = this.#setup;
    const args: [RoleSetup] = [{ ...this.#setup, role: child, knows: [...this.#knows] }];
    // Two of three, so that signals cross both ways between coroutines and threads, and from thread to thread.
    const isOnThread = carrier === "thread" && child % 3 !== 0;
    const body = (isOnThread ? program(programUrl) : roleBody) as typeof roleBody;
    const pid = this.#spawnAs(how, body, { args, carrier: isOnThread ? "thread" : "coroutine" }, at);
    this.#knows[child] = pid;
    this.#report({ type: "spawned", role, child, pid });
    return "ok";
  }

  #spawnAs(
    how: "spawn" | "link" | "monitor",
    body: typeof roleBody,
    options: { readonly args: [RoleSetup]; readonly carrier: string },
    at: number,
  ): AnyPid {
    if (how === "link") return this.#self.spawnLink(body, options);
    if (how === "spawn") return this.#self.spawn(body, options);
    const { pid, ref } = this.#self.spawnMonitor(body, options);
    this.#refs.set(at, ref);
    return pid;
  }

  async #await(who: Role): Promise<RawObservation> {
    if (this.#knows[who] != null) return "ok";
    const isIt = (message: unknown): boolean => isIntroduction(message) && message.who === who;
    const message = await this.#self.receive((one) => isIt(one) || isFinish(one));
    if (!isIntroduction(message)) return this.#finish();
    this.#knows[who] = message.pid;
    return this.#observation(message);
  }

  #remember(at: number, ref: Ref): "ok" {
    this.#refs.set(at, ref);
    return "ok";
  }

  #about(roles: readonly Role[], act: (pids: readonly AnyPid[]) => RawObservation | boolean): RawObservation {
    const pids = roles.flatMap((role) => this.#knows[role] ?? []);
    if (pids.length < roles.length) return "unknown";
    const result = act(pids);
    return typeof result === "boolean" ? String(result) : result;
  }

  // --- receiving ---

  async #take(match: Match | "none", timeoutMs: number | null): Promise<RawObservation> {
    if (timeoutMs === null) {
      const message = await this.#self.receive((one) => isMatch(match, one) || isFinish(one));
      return isFinish(message) ? this.#finish() : this.#observation(message);
    }
    const dueMs = this.#nowMs() + timeoutMs;
    const message = await this.#self.receive((one) => isMatch(match, one), { timeoutMs });
    return message === timedOut ? this.#inTime(dueMs, "timeout") : this.#observation(message);
  }

  #observation(message: unknown): RawObservation {
    if (isExit(message)) {
      if (this.#setup.fault === "duplicateExit" && this.#faultsLeft-- > 0) this.#self.send(this.#self.pid, message);
      return ["exit", message.from, message.reason];
    }
    if (isDown(message)) {
      const at = this.#positionOf(message.ref);
      return at === undefined ? "wrong ref" : ["down", at, message.from, message.reason];
    }
    if (isIntroduction(message)) return ["introduced", message.from, message.at, message.who];
    const { type } = (message ?? {}) as { readonly type?: unknown };
    if (type === "message") return this.#told("message", message as Told);
    if (type !== "timeout") return "strange message";
    const timeout = message as TimeoutMessage;
    const told = timeout.message as Told;
    // Only its owner knows the ref; for others the message says whose it is.
    const at = this.#positionOf(timeout.ref);
    return at === undefined || at === told.at ? this.#told("timeout", told) : "wrong ref";
  }

  #told(kind: "message" | "timeout", { from, at, tag, dueMs }: Told): RawObservation {
    return this.#inTime(dueMs, [kind, from, at, tag]);
  }

  #positionOf(ref: Ref): number | undefined {
    for (const [at, other] of this.#refs) if (other === ref) return at;
    return undefined;
  }

  /** Never returns: an end by itself would show in other mailboxes. */
  async #finish(): Promise<never> {
    const rest: RawObservation[] = [];
    for (;;) {
      const message = await this.#self.receive(undefined, { timeoutMs: 0 });
      if (message === timedOut) break;
      rest.push(this.#observation(message));
    }
    this.#report({ type: "rest", role: this.#setup.role, rest });
    for (;;) await this.#self.receive(() => false);
  }

  // --- time ---

  #message(at: number, tag: string, delayMs?: number): Told {
    return {
      type: "message",
      from: this.#setup.role,
      at,
      tag,
      dueMs: delayMs === undefined ? 0 : this.#nowMs() + delayMs,
    };
  }

  /** Threads have clocks of their own. */
  #nowMs(): number {
    return this.#setup.carrier === "thread" ? 0 : this.#self.kernel.platform.clock.monotonicMs();
  }

  #inTime(dueMs: number, observation: RawObservation): RawObservation {
    return this.#setup.carrier === "thread" || this.#nowMs() >= dueMs ? observation : "early";
  }
}

/** What one process of a program tells another. */
interface Told {
  readonly type: "message";
  readonly from: Role;
  readonly at: number;
  readonly tag: string;
  /** Not to be seen before; 0 for what is not of a timer. */
  readonly dueMs: number;
}

interface Introduction {
  readonly type: "introduced";
  readonly from: Role;
  readonly at: number;
  readonly who: Role;
  readonly pid: AnyPid;
}

function isIntroduction(message: unknown): message is Introduction {
  return (message as { readonly type?: unknown } | null)?.type === "introduced";
}

function isFinish(message: unknown): boolean {
  return (message as { readonly type?: unknown } | null)?.type === finish.type;
}

function isMatch(match: Match | "none", message: unknown): boolean {
  const { type, tag } = (message ?? {}) as { readonly type?: unknown; readonly tag?: unknown };
  if (match === "none" || type === "introduced" || type === finish.type) return false;
  if (match === "any") return true;
  return match === "a" || match === "b" ? type === "message" && tag === match : type === match;
}

/** What Erlang says to a wrong argument, and to a link with nobody. */
function guarded(act: () => RawObservation | true): RawObservation {
  try {
    const result = act();
    return result === true ? "true" : result;
  } catch (thrown) {
    if (thrown instanceof ProcessEnded) throw thrown;
    return thrown instanceof Exit ? String(thrown.reason) : "badarg";
  }
}
