/**
 * Border: everything about other kernels. Which way leads to them, the identities that crossed, what is sent and what
 * comes in, and what the loss of one means here.
 *
 * Guarantees: order is kept per pair of processes; each link and each monitor to a kernel that is lost gives its one
 * signal (K5); a request to another kernel is preceded by its monitor, so that an end gives its reason (G11); of own refs
 * only those are held that another kernel may still answer to.
 * Unlike Erlang, where all nodes know each other, kernels are a tree: a signal goes down by the prefix of its kernel's id, else
 * up, and a kernel in between forwards it without decoding it.
 * Not here: what a signal does to a process (kernel.ts), who waits for room (gate.ts, far-gate.ts), the form of values (wire.ts),
 * channels (carriers/).
 *
 * @module
 */
import type { Platform } from "../base/platform.ts";
import {
  boundlessState,
  IdentityTable,
  isWithin,
  keyOf,
  type Connection,
  type ConnectionInfo,
  type Neighbour,
} from "./connection.ts";
import { carrierDown, describeReason, type ExitReason } from "./exit-reason.ts";
import { FarGates, holdBack } from "./far-gate.ts";
import { Gate } from "./gate.ts";
import { MailboxFullError } from "./mailbox.ts";
import type { AnyPid, Ref } from "./pid.ts";
import { Extra, nameOf, Process, type AnyProcess } from "./process.ts";
import { ChannelFullError, mainSerial, type Channel, type MessageSignal, type Signal } from "./signal.ts";
import {
  decode,
  encode,
  encodedBytes,
  estimatedBytes,
  isEncodedRequest,
  UncopyableError,
  type WireIdentities,
  type WireValue,
} from "./wire.ts";

/** What the border does inside its own kernel. */
export interface BorderHost {
  readonly id: string;
  readonly platform: Platform;
  /** `from`: the neighbour it came from; null for what comes from here. */
  deliver(process: AnyProcess, message: unknown, from: Neighbour | null): void;
  deliverToRef(ref: Ref, message: unknown, from: Neighbour | null): void;
  deliverDown(ref: Ref, reason: ExitReason): void;
  receiveExit(process: AnyProcess, from: AnyPid, reason: ExitReason, overLink: boolean): void;
  whereis(name: string): AnyPid | undefined;
  /** A process of another kernel has ended; told before anybody here learns of it. */
  foreignEnded(pid: AnyPid): void;
  /** All processes of other kernels that are `gone` have ended. */
  foreignLost(gone: (pid: AnyPid) => boolean): void;
  processes(): AnyPid[];
  /** Answers a question about this kernel's processes; never rejects. */
  answer(question: unknown): Promise<unknown>;
}

/** Kernels that are gone for good, as one kernel tells another. */
interface Loss {
  /** The neighbour that was lost; gone with all below it, unless `survivorId` says otherwise. */
  readonly kernelId: string;
  /** Set by a kernel that lost the one above it: only itself and those below it are left. */
  readonly survivorId: string | null;
  readonly cause: unknown;
  /** What the program of `kernelId` itself ended with. */
  readonly mainReason: ExitReason;
}

export class Border {
  readonly id: string;
  readonly #host: BorderHost;
  readonly #neighbours = new Map<string, Neighbour>();
  #uplink: Neighbour | null = null;
  /** Which way the last signal went: most go where the one before went. */
  #lastKernelId: string | null = null;
  #lastNeighbour: Neighbour | null = null;
  readonly #identities = new IdentityTable();
  /** Own refs that another kernel may answer to; by serial, strong, because nothing else may hold them. */
  readonly #heldRefs = new Map<number, Ref>();
  readonly #farGates = new FarGates();
  /** Links that are undone here and not yet known to be undone there, by `pairKeyOf`; with the number of the `unlink`. */
  readonly #unlinking = new Map<string, { readonly kernelId: string; readonly number: number }>();
  #unlinksCount = 0;
  readonly #codec: WireIdentities;

  constructor(host: BorderHost) {
    this.id = host.id;
    this.#host = host;
    this.#codec = {
      exportPid: (pid) => this.#identities.addPid(pid),
      exportRef: (ref) => this.exportRef(ref),
      importPid: (kernelId, serial) => this.#identities.pid(kernelId, serial),
      importRef: (kernelId, serial, owner) => this.#importRef(kernelId, serial, owner),
    };
  }

  /** The kernel above; names that nobody has here are asked for there. */
  get aboveId(): string | null {
    return this.#uplink === null ? null : this.#uplink.kernelId;
  }

  /** Makes an own pid known, so that signals to it find it. */
  addPid(pid: AnyPid): void {
    this.#identities.addPid(pid);
  }

  /** Ids of the kernels right below this one. */
  get childIds(): string[] {
    return [...this.#neighbours.keys()];
  }

  /** Nobody may answer to this ref any more. */
  release(ref: Ref): void {
    this.#heldRefs.delete(ref.serial);
  }

  /** Ties the kernel `kernelId`, below this one or (as `uplink`) above it, by `channel`. */
  connect(kernelId: string, channel: Channel, direction: "child" | "uplink" = "child"): Connection {
    // Its own kernel takes what comes whatever its processes do, so nobody can wait for each other here.
    const gate = new Gate({
      owner: null,
      name: () => `the channel to kernel ${kernelId}`,
      overshootMax: Infinity,
      heldMaxMs: Infinity,
    });
    const neighbour: Neighbour = { kernelId, channel, gate, told: new Set() };
    this.#lastKernelId = null;
    if (direction === "uplink") this.#uplink = neighbour;
    else this.#neighbours.set(kernelId, neighbour);
    let open = true;
    return {
      kernelId,
      receive: (signal) => {
        if (open) this.#receive(signal, neighbour);
      },
      room: () => gate.open(),
      info: () => connectionInfo(neighbour),
      lost: (cause, mainReason) => {
        if (!open) return;
        open = false;
        this.#lastKernelId = null;
        gate.open();
        const isAbove = this.#uplink === neighbour;
        if (isAbove) this.#uplink = null;
        else this.#neighbours.delete(kernelId);
        const survivorId = direction === "uplink" ? this.id : null;
        const loss: Loss = { kernelId, survivorId, cause, mainReason: mainReason ?? carrierDown(cause) };
        this.#lose(loss);
        this.#spreadLoss(loss, neighbour);
      },
    };
  }

  /** The pid of the program that the kernel `kernelId` was started for. */
  mainPidOf(kernelId: string): AnyPid {
    return this.#identities.pid(kernelId, mainSerial);
  }

  /** Copies a value that is to cross; `path` names it in errors. @throws UncopyableError. */
  encode(value: unknown, path?: string): WireValue {
    return encode(value, this.#codec, path);
  }

  /** The value that another kernel encoded. */
  decode(wire: WireValue): unknown {
    return decode(wire, this.#codec);
  }

  /** An exit must reach its receivers even when its reason cannot be copied. */
  encodeReason(reason: ExitReason): WireValue {
    try {
      return this.encode(reason);
    } catch {
      return this.encode(uncopyable(reason));
    }
  }

  /** Only what another kernel may answer to is held: a monitor or request until it ends, an alias until it is off. */
  exportRef(ref: Ref): void {
    if (ref.kernelId !== this.id) return;
    const owner = ref.owner.process;
    if (owner === null) return;
    this.#identities.addRef(ref);
    this.#identities.addPid(ref.owner);
    const isMonitor = owner.monitors?.has(ref) === true;
    if (ref.route === "none" && !isMonitor) return;
    this.#heldRefs.set(ref.serial, ref);
    if (ref.pending !== null || isMonitor) return;
    const extra = (owner.extra ??= new Extra());
    (extra.exportedRefs ??= new Set()).add(ref);
  }

  /** An alias was switched off; a monitor that was an alias too stays. */
  forgetAlias(owner: AnyProcess, ref: Ref): void {
    ref.route = "none";
    owner.extra?.exportedRefs?.delete(ref);
    if (owner.monitors?.has(ref) !== true) this.#heldRefs.delete(ref.serial);
  }

  /** Own refs that are held because another kernel may answer to them. */
  get heldRefsCount(): number {
    return this.#heldRefs.size;
  }

  #importRef(kernelId: string, serial: number, owner: AnyPid): Ref {
    const own = kernelId === this.id ? this.#heldRefs.get(serial) : undefined;
    return own ?? this.#identities.ref(kernelId, serial, owner);
  }

  #neighbourFor(kernelId: string): Neighbour | null {
    if (kernelId !== this.#lastKernelId) {
      this.#lastNeighbour = this.#findNeighbour(kernelId);
      this.#lastKernelId = kernelId;
    }
    return this.#lastNeighbour;
  }

  #findNeighbour(kernelId: string): Neighbour | null {
    if (!isWithin(kernelId, this.id)) return this.#uplink;
    const end = kernelId.indexOf(".", this.id.length + 1);
    return this.#neighbours.get(end === -1 ? kernelId : kernelId.slice(0, end)) ?? null;
  }

  /** A link made anew counts again, whatever becomes of an `unlink` before it. */
  transmitLink(from: AnyPid, to: AnyPid): void {
    this.#identities.addPid(from);
    this.#unlinking.delete(pairKeyOf(from.serial, to.kernelId, to.serial));
    this.transmit(["link", to.kernelId, to.serial, this.id, from.serial]);
  }

  /** Until it is confirmed, a link that comes from there is older than this, and will be gone there too. */
  transmitUnlink(from: AnyPid, to: AnyPid): void {
    this.#unlinksCount += 1;
    const number = this.#unlinksCount;
    this.#unlinking.set(pairKeyOf(from.serial, to.kernelId, to.serial), { kernelId: to.kernelId, number });
    this.transmit(["unlink", to.kernelId, to.serial, this.id, from.serial, number]);
  }

  #receiveUnlinked(key: string, number: number): void {
    if (this.#unlinking.get(key)?.number === number) this.#unlinking.delete(key);
  }

  transmitExit(from: AnyPid, to: AnyPid, reason: ExitReason, overLink: boolean): void {
    this.#identities.addPid(from);
    const wire = this.encodeReason(reason);
    this.transmit(["exit", to.kernelId, to.serial, from.kernelId, from.serial, wire, overLink]);
  }

  /** Sends towards the signal's kernel; `kill` for a program is carried out by its carrier, busy or not. */
  transmit(signal: Signal): void {
    const neighbour = this.#neighbourFor(signal[1]);
    if (neighbour === null) {
      this.#refuse(signal);
      return;
    }
    const isKill = signal[0] === "exit" && signal[5] === "kill" && !signal[6];
    const isForMain = signal[1] === neighbour.kernelId && signal[2] === mainSerial;
    if (isKill && isForMain && neighbour.channel.condemn !== undefined) neighbour.channel.condemn();
    else neighbour.channel.send(signal);
  }

  /**
   * Sends a message or a reply, and holds its sender when the mailbox it is for is known to be full, or the channel.
   * @throws MailboxFullError when that sender cannot be held any more; what `Channel.send` throws.
   */
  transmitMessage(
    signal: MessageSignal,
    sender: AnyProcess | Neighbour | null,
    sizeBytes: number = encodedBytes(),
  ): void {
    const neighbour = this.#neighbourFor(signal[1]);
    if (neighbour === null) {
      this.#refuse(signal);
      return;
    }
    const { channel, gate } = neighbour;
    if (this.#farGates.count > 0 && signal[0] === "message") this.#farGates.hold(signal[1], signal[2], sender);
    channel.send(signal, sizeBytes);
    if (channel.hasRoom !== false || sender === null) return;
    if (!(sender instanceof Process)) holdBack(sender, { kernelId: neighbour.kernelId, serial: 0 }, gate);
    else gate.claim(sender);
  }

  /** What would hold a message to a process of another kernel now; null when there is room. */
  gateBefore(target: AnyPid): Gate | null {
    const neighbour = this.#neighbourFor(target.kernelId);
    if (neighbour === null) return null;
    const next = neighbour.channel.hasRoom === false ? neighbour.gate : null;
    return this.#farGates.find(target.kernelId, target.serial) ?? next;
  }

  /** How the ways to all neighbours stand. */
  connections(): ConnectionInfo[] {
    const above = this.#uplink === null ? [] : [this.#uplink];
    return [...above, ...this.#neighbours.values()].map(connectionInfo);
  }

  /** The other kernel is gone: links and monitors learn it at once (L4, N2), messages vanish (M2). */
  #refuse(signal: Signal): void {
    let back: Signal;
    if (signal[0] === "link") back = ["exit", signal[3], signal[4], signal[1], signal[2], "noproc", true];
    else if (signal[0] === "unlink") back = ["unlinked", signal[3], signal[4], signal[1], signal[2], signal[5]];
    else if (signal[0] === "monitor") back = ["down", signal[4], signal[3], "noproc"];
    else if (signal[0] === "ask") back = ["down", signal[3], signal[2], "noproc"];
    else return;
    this.#host.platform.scheduling.macrotask(() => this.#receive(back, null));
  }

  #receive(signal: Signal, from: Neighbour | null): void {
    if (signal[0] === "lost") this.#receiveLoss(signal, from);
    else if (signal[0] === "messages") this.#receiveRow(signal, from);
    else if (signal[1] !== this.id) this.#forward(signal, from);
    else if (signal[0] === "reply") this.#receiveReply(signal[2], signal[3], from);
    else if (signal[0] === "ask") void this.#answer(signal);
    else if (signal[0] === "down") this.#receiveDown(signal[2], signal[3]);
    else if (signal[0] === "watching") this.#receiveWatching(signal[2], this.#identities.pid(signal[3], signal[4]));
    else if (signal[0] === "full")
      this.#farGates.shut(signal[3], signal[4], this.#identities.pid(signal[3], signal[4]));
    else if (signal[0] === "room") this.#farGates.open(signal[3], signal[4]);
    else if (typeof signal[2] === "string") this.#receiveForName(signal[2], signal, from);
    else this.#receiveFor(this.#identities.pid(this.id, signal[2]).process, signal, from);
  }

  /** The fast path of a flood: the receiver is looked up once. */
  #receiveRow(row: Signal & readonly ["messages", ...unknown[]], from: Neighbour | null): void {
    const [, kernelId, to, wires] = row;
    if (kernelId !== this.id || typeof to === "string") {
      for (const wire of wires) this.#receive(["message", kernelId, to, wire], from);
      return;
    }
    const { process } = this.#identities.pid(kernelId, to);
    if (process !== null) for (const wire of wires) this.#receiveMessage(process, wire, from);
  }

  /** A mailbox that fails its sender only drops and counts what comes from another kernel. */
  #receiveMessage(process: AnyProcess, wire: WireValue, from: Neighbour | null): void {
    try {
      this.#host.deliver(process, this.decode(wire), from);
    } catch (refused) {
      this.#countRefused(process, refused);
    }
  }

  async #answer([, , ref, kernelId, , question]: Signal & readonly ["ask", ...unknown[]]): Promise<void> {
    let wire: WireValue;
    try {
      wire = this.encode(await this.#host.answer(this.decode(question)));
    } catch (refused) {
      wire = this.encode({ ok: false, description: describeReason(refused) });
    }
    this.#forward(["reply", kernelId, ref, wire], null);
  }

  #receiveWatching(serial: number, target: AnyPid): void {
    const ref = this.#heldRefs.get(serial);
    if (ref !== undefined) ref.target = target;
  }

  /** Sends a signal on to who has the name, here or above; nobody having it is told as a process that has ended is. */
  #receiveForName(name: string, signal: Signal, from: Neighbour | null): void {
    const pid = this.#host.whereis(name);
    if (pid === undefined && this.#uplink !== null) {
      this.#forward([signal[0], this.#uplink.kernelId, ...signal.slice(2)] as unknown as Signal, from);
    } else if (pid === undefined) {
      // A call learns it by its monitor.
      if (signal[0] === "message" && !isEncodedRequest(signal[3]))
        this.#host.platform.log("warning", `a message to "${name}" was dropped: nobody has that name`);
      this.#refuse(signal);
    } else {
      if (signal[0] === "monitor") this.transmit(["watching", signal[4], signal[3], pid.kernelId, pid.serial]);
      const [kind, , , ...rest] = signal;
      this.#identities.addPid(pid);
      this.#receive([kind, pid.kernelId, pid.serial, ...rest] as unknown as Signal, from);
    }
  }

  /** The sender is in another kernel: what the next channel refuses has nobody to tell here. */
  #forward(signal: Signal, from: Neighbour | null): void {
    try {
      if (signal[0] === "message" || signal[0] === "reply")
        this.transmitMessage(signal, from, estimatedBytes(signal[3]));
      else this.transmit(signal);
    } catch (refused) {
      // The channel counts what its policy drops.
      if (refused instanceof ChannelFullError) return;
      this.#host.platform.log("warning", `a message for kernel ${signal[1]} was dropped: ${describeReason(refused)}`);
    }
  }

  #receiveReply(serial: number, wire: WireValue, from: Neighbour | null): void {
    const ref = this.#heldRefs.get(serial);
    if (ref === undefined) return;
    try {
      this.#host.deliverToRef(ref, this.decode(wire), from);
    } catch (refused) {
      this.#countRefused(ref.owner.process, refused);
    }
  }

  #receiveDown(serial: number, wire: WireValue): void {
    const ref = this.#heldRefs.get(serial);
    if (ref === undefined) return;
    if (ref.target !== null) this.#host.foreignEnded(ref.target);
    this.#host.deliverDown(ref, this.decode(wire));
  }

  #receiveFor(process: AnyProcess | null, signal: Signal, from: Neighbour | null): void {
    switch (signal[0]) {
      case "message":
        if (process !== null) this.#receiveMessage(process, signal[3], from);
        return;
      case "exit": {
        const sender = this.#identities.pid(signal[3], signal[4]);
        if (signal[6]) this.#host.foreignEnded(sender);
        if (process === null || (signal[6] && process.links?.delete(sender) !== true)) return;
        this.#host.receiveExit(process, sender, this.decode(signal[5]), signal[6]);
        return;
      }
      case "link": {
        const peer = this.#identities.pid(signal[3], signal[4]);
        if (process === null) this.transmitExit(this.#identities.pid(this.id, signal[2]), peer, "noproc", true);
        else if (!this.#unlinking.has(pairKeyOf(signal[2], signal[3], signal[4])))
          (process.links ??= new Set()).add(peer);
        return;
      }
      case "unlink":
        process?.links?.delete(this.#identities.pid(signal[3], signal[4]));
        this.transmit(["unlinked", signal[3], signal[4], this.id, signal[2], signal[5]]);
        return;
      case "unlinked":
        this.#receiveUnlinked(pairKeyOf(signal[2], signal[3], signal[4]), signal[5]);
        return;
      case "monitor": {
        const ref = this.#identities.ref(signal[4], signal[3], this.#identities.pid(signal[4], signal[5]));
        if (process === null) this.transmit(["down", signal[4], signal[3], "noproc"]);
        else (process.watchers ??= new Set()).add(ref);
        return;
      }
      case "demonitor": {
        const ref = this.#identities.findRef(signal[4], signal[3]);
        if (ref !== undefined) process?.watchers?.delete(ref);
      }
    }
  }

  /** The sender is in another kernel and cannot be told any more. A full mailbox has counted by itself. */
  #countRefused(process: AnyProcess | null, refused: unknown): void {
    if (refused instanceof MailboxFullError) return;
    if (!(refused instanceof UncopyableError) || process === null) throw refused;
    (process.extra ??= new Extra()).droppedCount += 1;
    this.#host.platform.log("warning", `a message to ${nameOf(process)} was dropped: ${refused.message}`);
  }

  #receiveLoss(signal: Signal & readonly ["lost", string, number, WireValue], from: Neighbour | null): void {
    const loss = this.decode(signal[3]) as Loss;
    this.#lose(loss);
    this.#spreadLoss(loss, from);
  }

  #spreadLoss(loss: Loss, except: Neighbour | null): void {
    const others = [...this.#neighbours.values(), ...(this.#uplink === null ? [] : [this.#uplink])];
    for (const neighbour of others) {
      // Each gets its own copy, because decoding takes it over.
      if (neighbour !== except) neighbour.channel.send(["lost", neighbour.kernelId, 0, this.encodeReason(loss)]);
    }
  }

  /** Everything that `loss` took is gone: each link and each monitor to it gives its one signal. */
  #lose(loss: Loss): void {
    const { kernelId, survivorId, mainReason } = loss;
    const reason = carrierDown(loss.cause);
    const reasonFor = (pid: AnyPid): ExitReason =>
      pid.kernelId === kernelId && pid.serial === mainSerial ? mainReason : reason;
    const isGone = (id: string): boolean => (survivorId === null ? isWithin(id, kernelId) : !isWithin(id, survivorId));
    const gone = (pid: AnyPid): boolean => isGone(pid.kernelId);
    this.#host.foreignLost(gone);
    this.#farGates.lose(isGone);
    for (const [key, unlinking] of this.#unlinking) if (isGone(unlinking.kernelId)) this.#unlinking.delete(key);
    for (const pid of this.#host.processes()) {
      const process = pid.process;
      if (process === null) continue;
      for (const ref of process.watchers ?? []) if (gone(ref.owner)) process.watchers?.delete(ref);
      for (const ref of [...(process.monitors ?? [])]) {
        // Nobody will say any more whom a monitor watches that went up by name.
        if (ref.target === null) {
          if (survivorId !== null) this.#host.deliverDown(ref, reason);
        } else if (gone(ref.target)) {
          this.#host.deliverDown(ref, reasonFor(ref.target));
        }
      }
      for (const peer of [...(process.links ?? [])]) {
        if (gone(peer) && process.links?.delete(peer) === true) {
          this.#host.receiveExit(process, peer, reasonFor(peer), true);
        }
      }
    }
  }
}

function pairKeyOf(ownSerial: number, kernelId: string, serial: number): string {
  return `${ownSerial} ${keyOf(kernelId, serial)}`;
}

function connectionInfo({ kernelId, channel, gate }: Neighbour): ConnectionInfo {
  return { kernelId, heldCount: gate.claimsCount, ...(channel.state ?? boundlessState) };
}

/** What is told of a reason that cannot leave its carrier. */
export function uncopyable(reason: ExitReason): { readonly tag: "uncopyable"; readonly description: string } {
  return { tag: "uncopyable", description: describeReason(reason) };
}
