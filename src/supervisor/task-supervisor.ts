/**
 * Tasks under a supervisor: a place in the tree for tasks, so that they end in order with their part of the system, Elixir's
 * Task.Supervisor.
 *
 *   const tasks = await startDynamicSupervisor(self, { maxChildren: 100 });
 *   const task = await startTask(self, tasks, work);
 *
 * Any dynamic supervisor will do. A task is a `temporary` child: it is never restarted, and its failure counts nothing.
 * Limits: `maxChildren`; `work` is a function, so the supervisor is one of this kernel (the task may run on any carrier).
 *
 * @module
 */
import type { AnyPid } from "../kernel/pid.ts";
import { StartError, type AnyProcess, type SpawnOptions } from "../kernel/process.ts";
import { describeReason } from "../kernel/exit-reason.ts";
import { spawnTask, Task, type TaskSource } from "../server/task.ts";
import type { ShutdownPolicy } from "./child-spec.ts";
import { startChild } from "./supervisor.ts";

/** How a supervised task is started. */
export interface SupervisedTaskOptions<Args extends readonly unknown[]> extends SpawnOptions<Args> {
  /** Also links the task to its owner (Elixir Task.Supervisor.async/2); default false (async_nolink). */
  readonly link?: boolean;
  /** How the supervisor stops it; default 5000 ms. */
  readonly shutdown?: ShutdownPolicy;
}

/**
 * Starts a task as a child of a dynamic supervisor; its value is the owner's.
 * @throws StartError with what `startChild` failed with, such as `"maxChildren"`; Exit as `call` when there is no supervisor.
 */
export async function startTask<Value, Args extends readonly unknown[]>(
  owner: AnyProcess,
  supervisor: AnyPid | string,
  source: TaskSource<Value, Args>,
  options: SupervisedTaskOptions<Args> = {},
): Promise<Task<Value>> {
  const { link = false, shutdown, ...spawn } = options;
  const started = await startChild(owner, supervisor, {
    id: "task",
    restart: "temporary",
    ...(shutdown === undefined ? {} : { shutdown }),
    start: (self) => spawnTask(self, owner, source, spawn as unknown as SpawnOptions<Args>, true),
  });
  if (!started.ok) throw new StartError(started.error, `a task did not start: ${describeReason(started.error)}`);
  const pid = started.value as AnyPid;
  // Still there: it does not begin before it is asked for its value.
  if (link) owner.link(pid);
  return Task.of<Value>(owner, pid);
}
