/**
 * Namespaces: a view of mounts and network that belongs to the victims of a test alone.
 *
 * Guarantees: held by one guard and by who lives in them; when both are gone the OS takes them away, with all that was
 * mounted. Root makes them directly, others inside a user namespace, where they are root and outside still nobody.
 * Limits: a victim that outlives the guard keeps them.
 *
 * @module
 */
import type { Milliseconds } from "../base/platform.ts";
import { Guard, GuardError, type GuardScript } from "./guard.ts";

/** How an OS process is started. */
export interface Start {
  readonly file: string;
  readonly args: readonly string[];
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export type NamespaceKind = "mount" | "net";

export class Namespaces {
  readonly #holder: Guard;
  readonly #kinds: readonly NamespaceKind[];
  /** Whether they stand in a user namespace, so that their root is nobody outside. */
  readonly inUserNamespace: boolean;

  private constructor(holder: Guard, kinds: readonly NamespaceKind[], inUserNamespace: boolean) {
    this.#holder = holder;
    this.#kinds = kinds;
    this.inUserNamespace = inUserNamespace;
  }

  /** @throws GuardError when this machine refuses them. */
  static async open(kinds: readonly NamespaceKind[], limitMs: Milliseconds, user?: boolean): Promise<Namespaces> {
    const isRoot = process.geteuid?.() === 0;
    const tries = user === undefined ? (isRoot ? [false, true] : [true]) : [user];
    let refusal: unknown;
    for (const inUser of tries) {
      try {
        return new Namespaces(await hold(kinds, inUser, limitMs), kinds, inUser);
      } catch (thrown) {
        refusal = thrown;
      }
    }
    throw refusal;
  }

  /** A command that runs in them. */
  wrap(start: Start): Start {
    const [file, ...args] = this.within();
    return { ...start, file: file as string, args: [...args, start.file, ...start.args] };
  }

  /** What stands before a command that is to run in them. */
  within(): string[] {
    const user = this.inUserNamespace ? ["--user", "--preserve-credentials"] : [];
    return ["nsenter", `--target=${this.#holder.pid}`, ...user, ...this.#kinds.map((kind) => `--${kind}`), "--"];
  }

  /** Does something in them. */
  guard(script: Omit<GuardScript, "within">): Promise<Guard> {
    return Guard.start({ ...script, within: this.within() });
  }

  async close(): Promise<void> {
    await this.#holder.undo();
  }
}

async function hold(kinds: readonly NamespaceKind[], inUser: boolean, limitMs: Milliseconds): Promise<Guard> {
  const user = inUser ? ["--user", "--map-root-user"] : [];
  const does = kinds.includes("net") ? "ip link set lo up" : ":";
  try {
    const within = ["unshare", ...user, ...kinds.map((kind) => `--${kind}`), "--"];
    return await Guard.start({ within, does, undoes: ":", limitMs });
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new GuardError(`no namespace for ${kinds.join(" and ")}: ${reason}`);
  }
}
