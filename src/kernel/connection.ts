/**
 * Connection: a kernel's view of one neighbour, and the identities that crossed it.
 *
 * Guarantees: a pid or ref that arrives twice is the same object, as long as somebody has it; the table keeps nothing alive.
 * Not here: what signals do (border.ts), how they travel (signal.ts, carriers/).
 *
 * @module
 */
import type { ExitReason } from "./exit-reason.ts";
import type { Gate } from "./gate.ts";
import { Pid, Ref, type AnyPid } from "./pid.ts";
import type { Channel, ChannelState, Signal } from "./signal.ts";

/** What the carrier that owns a channel reports to the kernel. */
export interface Connection {
  /** The neighbour's kernel id. */
  readonly kernelId: string;
  /** A signal arrived. */
  receive(signal: Signal): void;
  /** The channel has room again after `hasRoom` was false. */
  room(): void;
  /** How it stands. */
  info(): ConnectionInfo;
  /**
   * The neighbour is gone for good. Each process on it gets exactly one exit: the program itself with `mainReason`
   * (default: like the others), all others with `{ tag: "carrierDown", cause }`. Idempotent.
   */
  lost(cause: unknown, mainReason?: ExitReason): void;
}

/** How the way to one neighbour stands, as `Kernel.connections` and `Connection.info` tell it. */
export interface ConnectionInfo extends ChannelState {
  readonly kernelId: string;
  /** Processes of this kernel that the channel holds because its window is used up. */
  readonly heldCount: number;
}

/** @internal */
export interface Neighbour {
  readonly kernelId: string;
  readonly channel: Channel;
  /** Where senders wait while the channel has no room. */
  readonly gate: Gate;
  /** What it was told is full. */
  readonly told: Set<string>;
}

/** @internal What a channel that never holds anything back says of itself. */
export const boundlessState: ChannelState = {
  windowBytes: Infinity,
  underWayBytes: 0,
  creditBytes: Infinity,
  waitingCount: 0,
  waitingBytes: 0,
  droppedCount: 0,
};

/** One string for a process or ref of any kernel. */
export function keyOf(kernelId: string, serial: number): string {
  return `${kernelId}:${serial}`;
}

/** Whether `kernelId` is `ancestorId` or a kernel started below it. */
export function isWithin(kernelId: string, ancestorId: string): boolean {
  return kernelId === ancestorId || kernelId.startsWith(`${ancestorId}.`);
}

/**
 * The pids and refs that crossed a carrier: the same identity is the same object each time it arrives.
 * Entries do not keep anything alive.
 */
export class IdentityTable {
  readonly #pids = new Map<string, WeakRef<AnyPid>>();
  readonly #refs = new Map<string, WeakRef<Ref>>();
  readonly #forgetPid = new FinalizationRegistry<string>((key) => forget(this.#pids, key));
  readonly #forgetRef = new FinalizationRegistry<string>((key) => forget(this.#refs, key));

  addPid(pid: AnyPid): void {
    const key = keyOf(pid.kernelId, pid.serial);
    const known = this.#pids.get(key)?.deref();
    // A live process replaces what was made of its number before it began.
    if (known !== undefined && (pid.process === null || known.process !== null)) return;
    this.#pids.set(key, new WeakRef(pid));
    this.#forgetPid.register(pid, key);
  }

  addRef(ref: Ref): void {
    const key = keyOf(ref.kernelId, ref.serial);
    if (this.#refs.get(key)?.deref() !== undefined) return;
    this.#refs.set(key, new WeakRef(ref));
    this.#forgetRef.register(ref, key);
  }

  pid(kernelId: string, serial: number): AnyPid {
    const known = this.#pids.get(keyOf(kernelId, serial))?.deref();
    if (known !== undefined) return known;
    const pid = new Pid<never>(kernelId, serial, null);
    this.addPid(pid);
    return pid;
  }

  ref(kernelId: string, serial: number, owner: AnyPid): Ref {
    const known = this.findRef(kernelId, serial);
    if (known !== undefined) return known;
    const ref = new Ref(kernelId, serial, owner);
    this.addRef(ref);
    return ref;
  }

  findRef(kernelId: string, serial: number): Ref | undefined {
    return this.#refs.get(keyOf(kernelId, serial))?.deref();
  }
}

function forget(table: Map<string, WeakRef<object>>, key: string): void {
  if (table.get(key)?.deref() === undefined) table.delete(key);
}
