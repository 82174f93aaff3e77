/**
 * Abort: whether a condition to end chaos holds now.
 *
 * @module
 */
import type { Milliseconds } from "../../base/platform.ts";
import { abortText, type AbortCondition } from "../../control/abort-condition.ts";
import type { WatchedInstance } from "./system-watch.ts";

/** From the end of one probe to the next, in milliseconds. */
export const probeEveryMs: Milliseconds = 500;
/** How long an answer to a probe may take, in milliseconds. */
export const probeTimeoutMs: Milliseconds = 2000;

/** What conditions are about. */
export interface AbortScene {
  readonly instances: ReadonlyMap<string, WatchedInstance>;
  /** Restarts of each instance when it began. */
  readonly restartsBefore: ReadonlyMap<string, number>;
  /** What was ready when it began. */
  readonly wereReady: ReadonlySet<string>;
  /** For how long no daemon has answered; undefined while one does. */
  readonly absentMs: Milliseconds | undefined;
  /** For how long what stands at the address has failed; undefined while it does not. */
  failedMs(url: string): Milliseconds | undefined;
  readonly nowMs: Milliseconds;
}

/** The sentence that says which condition holds, and why; undefined when none does. */
export function whatHolds(conditions: readonly AbortCondition[], scene: AbortScene): string | undefined {
  for (const condition of conditions) {
    const why = holds(condition, scene);
    if (why !== undefined) return `${abortText([condition])}: ${why}`;
  }
  return undefined;
}

function holds(condition: AbortCondition, scene: AbortScene): string | undefined {
  switch (condition.kind) {
    case "failed":
    case "degraded": {
      const found = meant(condition, scene).find(({ status }) => status.state === condition.kind)?.status;
      if (found === undefined) return undefined;
      return `${found.name} is ${found.state}${found.reason === undefined ? "" : ` (${found.reason})`}`;
    }
    case "not-ready": {
      const found = meant(condition, scene).find(
        ({ status, notReadySinceMs }) =>
          scene.wereReady.has(status.name) &&
          notReadySinceMs !== undefined &&
          scene.nowMs - notReadySinceMs > condition.overMs,
      );
      return found === undefined
        ? undefined
        : `${found.status.name} is ${found.status.state} for ${overText(scene.nowMs - found.notReadySinceMs!)}`;
    }
    case "restarts": {
      const count = meant(condition, scene).reduce((sum, { status: { name, restartsCount } }) => {
        return sum + Math.max(0, restartsCount - (scene.restartsBefore.get(name) ?? 0));
      }, 0);
      return count > condition.over ? `there were ${count}` : undefined;
    }
    case "no-daemon": {
      const { absentMs } = scene;
      return absentMs !== undefined && absentMs > condition.overMs
        ? `no daemon has answered for ${overText(absentMs)}`
        : undefined;
    }
    case "probe": {
      const failedMs = scene.failedMs(condition.url);
      return failedMs !== undefined && failedMs >= condition.overMs
        ? `it has failed for ${overText(failedMs)}`
        : undefined;
    }
  }
}

function meant({ name }: { readonly name?: string }, { instances }: AbortScene): readonly WatchedInstance[] {
  return [...instances.values()].filter(
    ({ status }) => name === undefined || status.name === name || status.service === name,
  );
}

function overText(durationMs: Milliseconds): string {
  return `${Math.round(durationMs)} ms`;
}

/** Asks addresses again and again whether somebody answers there. */
export class Probes {
  readonly #failedSinceMs = new Map<string, Milliseconds>();
  readonly #end = new AbortController();

  constructor(urls: Iterable<string>) {
    for (const url of new Set(urls)) void this.#watch(url);
  }

  failedMs(url: string): Milliseconds | undefined {
    const sinceMs = this.#failedSinceMs.get(url);
    return sinceMs === undefined ? undefined : performance.now() - sinceMs;
  }

  end(): void {
    this.#end.abort();
  }

  async #watch(url: string): Promise<void> {
    while (!this.#end.signal.aborted) {
      const askedMs = performance.now();
      if (await isAnswered(url)) this.#failedSinceMs.delete(url);
      else if (!this.#failedSinceMs.has(url)) this.#failedSinceMs.set(url, askedMs);
      await pause(probeEveryMs, this.#end.signal);
    }
  }
}

/** A status below 400 is an answer. */
export async function isAnswered(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(probeTimeoutMs) });
    await answer.body?.cancel();
    return answer.status < 400;
  } catch {
    return false;
  }
}

function pause(durationMs: Milliseconds, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, durationMs);
    signal.addEventListener("abort", done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}
