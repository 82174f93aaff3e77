/**
 * Far gates: what is full in other kernels, or on the way to them, and who is held here for it.
 *
 * While a mailbox or a channel is full, its senders in all kernels are held: each kernel tells the neighbour that a
 * message came from (`full`), once, and later that there is room again (`room`), so the word goes back the way the messages
 * come. A message by name is held only by the channel.
 * Limits: those of a gate (gate.ts); what another kernel says is full costs one entry here until it says that there is room or
 * is lost.
 * Not here: whose channel is full next door (border.ts), mailboxes of this kernel (kernel.ts).
 *
 * @module
 */
import { isWithin, keyOf, type Neighbour } from "./connection.ts";
import { Gate } from "./gate.ts";
import { MailboxFullError } from "./mailbox.ts";
import type { AnyPid } from "./pid.ts";
import { Process, type AnyProcess } from "./process.ts";

/** A mailbox of another kernel, or with serial 0 the way to that kernel. */
type Place = Pick<AnyPid, "kernelId" | "serial">;

/** Somewhere that is full. */
interface Full extends Place {
  readonly gate: Gate;
}

/** What one kernel knows to be full elsewhere. */
export class FarGates {
  readonly #full = new Map<string, Full>();

  get count(): number {
    return this.#full.size;
  }

  /** Another kernel says that its mailbox, or with serial 0 the way to it, is full; `who` has the mailbox. */
  shut(kernelId: string, serial: number, who: AnyPid): void {
    const key = keyOf(kernelId, serial);
    if (this.#full.has(key)) return;
    const name = serial === 0 ? `the way to kernel ${kernelId}` : String(who);
    this.#full.set(key, { kernelId, serial, gate: new Gate({ owner: null, name: () => name }) });
  }

  /** There is room again. */
  open(kernelId: string, serial: number): void {
    const key = keyOf(kernelId, serial);
    const full = this.#full.get(key);
    this.#full.delete(key);
    full?.gate.open();
  }

  /** Those kernels are gone, and what was full there with them. */
  lose(isGone: (kernelId: string) => boolean): void {
    for (const { kernelId, serial } of this.#full.values()) if (isGone(kernelId)) this.open(kernelId, serial);
  }

  /** What holds a message to that process now; null when nothing does. */
  find(kernelId: string, serial: number | string): Gate | null {
    for (const full of this.#full.values()) if (isHeldBy(full, kernelId, serial)) return full.gate;
    return null;
  }

  /** Holds who sends to that process. @throws MailboxFullError when the sender cannot be held any more. */
  hold(kernelId: string, serial: number | string, sender: AnyProcess | Neighbour | null): void {
    for (const full of this.#full.values()) {
      if (!isHeldBy(full, kernelId, serial)) continue;
      if (sender === null) throw new MailboxFullError(full.gate.name(), { overshootMax: 0 });
      if (sender instanceof Process) full.gate.admit(sender);
      else holdBack(sender, full, full.gate);
    }
  }
}

/** Tells a neighbour, once, to hold who sends to what is full, and later that there is room again. */
export function holdBack(neighbour: Neighbour, { kernelId, serial }: Place, gate: Gate): void {
  const key = keyOf(kernelId, serial);
  if (neighbour.told.has(key)) return;
  neighbour.told.add(key);
  neighbour.channel.send(["full", neighbour.kernelId, 0, kernelId, serial]);
  gate.tell(() => {
    neighbour.told.delete(key);
    neighbour.channel.send(["room", neighbour.kernelId, 0, kernelId, serial]);
  });
}

/** Whether a message to that process must wait for what is full: for its mailbox, or on the way to its kernel. */
function isHeldBy(full: Full, kernelId: string, serial: number | string): boolean {
  if (full.serial === 0) return isWithin(kernelId, full.kernelId);
  return full.serial === serial && full.kernelId === kernelId;
}
