/**
 * Partition supervisor: the same child several times, and a key that says which of them to ask, Elixir's PartitionSupervisor.
 *
 *   await startPartitionSupervisor(self, { partitions: 4, child: child("counter", counter) }, { name: "counters" });
 *   await call(self, await partitionFor(self, "counters", "ann"), "increment");
 *
 * It takes the load off one server that would be the bottleneck: each partition has a state of its own, and equal keys lead
 * to the same partition, from every kernel, also after a restart.
 * Guarantees: a whole number leads to the partition of its remainder, any other key (server/key.ts) to one by its hash.
 * Limits: `partitionsMax`; the number of partitions is fixed.
 * Unlike Elixir: the supervisor itself is asked for the partition, so the answer waits while it stops or starts a child.
 * The number has no default, because nothing here knows the number of processors.
 *
 * @module
 */
import { assertWhole } from "../base/limit.ts";
import { Exit, type CallFailed } from "../kernel/exit-reason.ts";
import { Pid, type AnyPid, type Ref } from "../kernel/pid.ts";
import { callTimeoutMsDefault, type AnyProcess, type StartOptions } from "../kernel/process.ts";
import type { DefinedProgram } from "../kernel/program.ts";
import { keyHash } from "../server/key.ts";
import { call, defineServer } from "../server/server.ts";
import type { ChildSpec, SupervisorFlags } from "./child-spec.ts";
import { Supervisor, type Operation, type SupervisorResult } from "./supervisor.ts";

/** Partitions of one supervisor at most. */
export const partitionsMax = 1024;

/** What a partition supervisor runs. */
export interface PartitionOptions {
  /** How many, 1 to `partitionsMax`; a good number is that of the machine's processors. */
  readonly partitions: number;
  /** The spec of all, or of each by its number; its id becomes that number. */
  readonly child: ChildSpec | ((partition: number) => ChildSpec);
  /** Default strategy: `oneForOne`. */
  readonly flags?: Omit<SupervisorFlags, "maxChildren" | "extraArguments">;
}

/** A partition supervisor as a program, for `child`. @throws RangeError when `partitions` is out of range. */
export function definePartitionSupervisor(options: PartitionOptions): DefinedProgram<unknown, readonly never[]> {
  assertWhole("partitions", (options as PartitionOptions | undefined)?.partitions, 1, partitionsMax);
  const { child, flags = {}, partitions } = options;
  const specOf = (partition: number): ChildSpec => ({
    ...(typeof child === "function" ? child(partition) : child),
    id: String(partition),
  });
  const init = { flags, children: Array.from({ length: partitions }, (_, partition) => specOf(partition)) };
  return defineServer((self: AnyProcess) => new PartitionSupervisor(self, () => init, partitions));
}

/**
 * Starts a partition supervisor when all partitions are up (Elixir PartitionSupervisor.start_link/1).
 * @throws RangeError; StartError as `startSupervisor`.
 */
export function startPartitionSupervisor(
  self: AnyProcess,
  partitions: PartitionOptions,
  options: StartOptions<readonly never[]> = {},
): Promise<Pid<unknown>> {
  return self.start(definePartitionSupervisor(partitions), options);
}

/** Which of so many partitions a key leads to. @throws TypeError when it is no key. */
export function partitionOf(key: unknown, partitions: number): number {
  return (typeof key === "number" && Number.isSafeInteger(key) ? Math.abs(key) : keyHash(key)) % partitions;
}

/**
 * The partition that `key` leads to (Elixir `{:via, PartitionSupervisor, {name, key}}`).
 * @throws Exit `{ tag: "call", reason, to }`: `"noproc"` while that partition does not run; as `call` for the supervisor.
 * @throws TypeError when `key` is none, or `supervisor` is another kind of supervisor.
 */
export async function partitionFor(
  self: AnyProcess,
  supervisor: AnyPid | string,
  key: unknown,
  timeoutMs: number = callTimeoutMsDefault,
): Promise<AnyPid> {
  partitionOf(key, 1);
  const pid = await call(self, supervisor, { operation: "partitionFor", key }, timeoutMs);
  if (pid instanceof Pid) return pid;
  if (pid !== undefined) throw new TypeError(`${supervisor} is no partition supervisor`);
  throw new Exit({ tag: "call", reason: "noproc", to: `a partition of ${supervisor}` } satisfies CallFailed);
}

interface Route {
  readonly operation: "partitionFor";
  readonly key: unknown;
}

class PartitionSupervisor extends Supervisor {
  readonly #partitions: number;

  constructor(self: AnyProcess, init: ConstructorParameters<typeof Supervisor>[1], partitions: number) {
    super(self, init);
    this.#partitions = partitions;
  }

  override handleCall(request: Operation | Route, from: Ref): unknown {
    switch (request?.operation) {
      case "partitionFor":
        return this.#route(request.key);
      case "startChild":
      case "deleteChild":
        return { ok: false, error: "fixedPartitions" } satisfies SupervisorResult<never>;
      default:
        return super.handleCall(request, from);
    }
  }

  #route(key: unknown): AnyPid | undefined {
    try {
      return this.pidOf(String(partitionOf(key, this.#partitions)));
    } catch {
      // Only who asks by hand gets here: `partitionFor` has checked the key.
      return undefined;
    }
  }
}
