/**
 * Ready checks: the readiness checks of a system that runs in the foreground, one for each run.
 *
 * Guarantees: a check that was told to end (`Instance.check`) tells nothing more; `settled` waits also for those, which may still have an
 * OS process.
 *
 * @module
 */
import type { Clock } from "../../base/platform.ts";
import type { AnyPid } from "../../kernel/pid.ts";
import { awaitReady, survivalMs } from "../check/readiness.ts";
import { reasonText } from "../reason-text.ts";
import type { Instance } from "./instance.ts";

export interface ReadyChecksOptions {
  readonly clock: Clock;
  /** colos's own environment, for checks that run a command. */
  readonly env: Readonly<Record<string, string | undefined>>;
  ready(instance: Instance, pid: AnyPid): void;
  notReady(instance: Instance, pid: AnyPid, problem: string): void;
}

export class ReadyChecks {
  readonly #options: ReadyChecksOptions;
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: ReadyChecksOptions) {
    this.#options = options;
  }

  begin(instance: Instance, pid: AnyPid): void {
    const check = this.#check(instance, pid).finally(() => this.#underWay.delete(check));
    this.#underWay.add(check);
  }

  /** Settles when none of them is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #check(instance: Instance, pid: AnyPid): Promise<void> {
    const check = new AbortController();
    instance.check = check;
    const { ready, env, cwd } = instance.plan;
    const subject = {
      onLine: (listener: (text: string) => void) => instance.onLine(listener),
      env: withChanges(this.#options.env, env),
      cwd,
    };
    try {
      await (ready.kind === "none" ? this.#survived(check.signal) : awaitReady(ready, subject, check.signal));
      this.#options.ready(instance, pid);
    } catch (thrown) {
      if (!check.signal.aborted) this.#options.notReady(instance, pid, reasonText(thrown));
    }
  }

  /** Of what declares no check, nothing better is known than that it has not ended at once. Rejects with the signal's reason. */
  #survived(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.timer(survivalMs, resolve);
      signal.addEventListener("abort", () => {
        cancel();
        reject(signal.reason as Error);
      });
    });
  }
}

function withChanges(
  env: Readonly<Record<string, string | undefined>>,
  changes: Readonly<Record<string, string | null>>,
): Record<string, string | undefined> {
  const merged: Record<string, string | undefined> = { ...env };
  for (const [name, value] of Object.entries(changes)) merged[name] = value ?? undefined;
  return merged;
}
