/**
 * Names: who is registered under which name in one kernel.
 *
 * Guarantees: a name has one holder and a process of this kernel or another at most one name here (R1, R2); the name of a
 * process of another kernel is free before anybody here learns of its end (N18).
 * What an ended process was called is remembered as long as somebody has its pid (ancestry.ts).
 * Unlike Erlang: names are per kernel; one that nobody has here is asked for in the kernel above (border.ts).
 *
 * @module
 */
import type { Kernel } from "./kernel.ts";
import type { AnyPid, Ref } from "./pid.ts";
import { Extra, type AnyProcess } from "./process.ts";

export class Names {
  readonly #kernel: Kernel;
  readonly #pids = new Map<string, AnyPid>();
  /** Names of processes of other kernels, with the monitor that tells of their ends. */
  readonly #remote = new Map<AnyPid, { readonly name: string; readonly ref: Ref }>();
  /** What processes were called that have ended here, or run elsewhere and are ancestors of processes here. */
  readonly #remembered = new WeakMap<AnyPid, string>();
  #keeper: AnyProcess | null = null;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** A process of this kernel that is nobody's: it monitors the processes of other kernels that have names here. */
  get keeper(): AnyProcess {
    if (this.#keeper === null) {
      this.#keeper = this.#kernel.attach("names");
      this.#keeper.react(() => {});
    }
    return this.#keeper;
  }

  whereis(name: string): AnyPid | undefined {
    return this.#pids.get(name);
  }

  /** @throws Error when nobody has the name. */
  get(name: string): AnyPid {
    const pid = this.#pids.get(name);
    if (pid === undefined) throw new Error(`no process is registered as "${name}" in kernel ${this.#kernel.id}`);
    return pid;
  }

  /** @throws Error when somebody has the name. */
  assertFree(name: string): void {
    const holder = this.#pids.get(name);
    if (holder !== undefined) throw new Error(nameTaken(name, holder));
  }

  /** @throws Error when the name is taken, or the process has a name already or has ended. */
  register(name: string, pid: AnyPid): void {
    this.assertFree(name);
    const holder = pid.process;
    if (holder !== null && holder.kernel === this.#kernel && holder.stage !== "exiting") {
      const extra = (holder.extra ??= new Extra());
      if (extra.name !== undefined) throw new Error(`${pid} is already registered as "${extra.name}"`);
      extra.name = name;
    } else if (pid.kernelId === this.#kernel.id) {
      throw new Error(`${pid} has ended and cannot be registered as "${name}"`);
    } else {
      const known = this.#remote.get(pid);
      if (known !== undefined) throw new Error(`${pid} is already registered as "${known.name}"`);
      this.#remote.set(pid, { name, ref: this.keeper.monitor(pid) });
    }
    this.#pids.set(name, pid);
  }

  /** @throws Error when nobody has the name. */
  unregister(name: string): void {
    const pid = this.get(name);
    this.#pids.delete(name);
    this.freeRemote(pid);
    const holder = pid.process;
    if (holder !== null && holder.extra !== null) holder.extra.name = undefined;
  }

  /** Its holder, a process of this kernel, has ended. */
  free(name: string, pid: AnyPid): void {
    this.#pids.delete(name);
    this.#remembered.set(pid, name);
  }

  /** Notes what a process was called, for `nameOf`. */
  remember(pid: AnyPid, name: string): void {
    this.#remembered.set(pid, name);
  }

  /** The name that a process has here, or had. */
  nameOf(pid: AnyPid): string | undefined {
    return pid.process?.extra?.name ?? this.#remote.get(pid)?.name ?? this.#remembered.get(pid);
  }

  /** Frees the names of all processes of other kernels that are `gone`. */
  freeLost(gone: (pid: AnyPid) => boolean): void {
    for (const pid of this.#remote.keys()) if (gone(pid)) this.freeRemote(pid);
  }

  /** Frees the name of a process of another kernel, if it has one. */
  freeRemote(pid: AnyPid): void {
    const known = this.#remote.get(pid);
    if (known === undefined) return;
    this.#remote.delete(pid);
    this.#pids.delete(known.name);
    this.#keeper?.demonitor(known.ref, { flush: true });
  }
}

/** Why a name cannot be given. */
export function nameTaken(name: string, holder: AnyPid): string {
  return `the name "${name}" is taken by ${holder}`;
}
