/**
 * Log clearing: empties what was recorded of services, those that are there and those that are gone.
 *
 * Guarantees: whom it is about is decided before anything is removed; of a service all instances that have ever written are meant, also
 * those that it has no more. What is left of an instance that is gone goes with its log.
 * Not here: removing files (the recorder, log/log-store.ts).
 *
 * @module
 */
import { suggestionClause } from "../../base/suggestion.ts";
import { ManagerError, type ClearInput, type ClearReport } from "../../control/manager.ts";
import { instanceName } from "../../control/service.ts";
import { parseSelector, selects } from "../../control/selector.ts";
import { runsOf } from "../core/live.ts";
import type { LogOwner } from "../log/line-joiner.ts";
import type { LogStore } from "../log/log-store.ts";
import { thoseThere, type Targets } from "./targets.ts";

export class LogClearing {
  readonly #targets: Targets;
  readonly #store: LogStore;

  constructor(targets: Targets, store: LogStore) {
    this.#targets = targets;
    this.#store = store;
  }

  /** @throws ManagerError `invalid` and `unknown` before anything is removed, `busy` when a log could not be */
  async clear({ names, gone = false, preview = false }: ClearInput): Promise<ClearReport> {
    if (names === undefined && !gone)
      throw new ManagerError("invalid", "nobody is named", "name services, or ask for those that are gone");
    const owners = await this.#store.owners();
    const candidates = gone ? owners.filter((each) => this.#isGone(each)) : owners;
    const meant = new Set(
      names === undefined ? candidates : names.flatMap((name) => this.#meant(name, candidates, gone)),
    );
    const logs = [];
    for (const owner of meant) {
      // It may have come back while others were emptied.
      if (gone && !this.#isGone(owner)) continue;
      const bytes = preview ? await this.#store.sizeOf(owner) : await this.#empty(owner);
      logs.push({ name: instanceName(owner.service, owner.instance), ...owner, bytes });
    }
    return { logs, bytes: logs.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  #meant(name: string, candidates: readonly LogOwner[], gone: boolean): readonly LogOwner[] {
    const selector = parseSelector(name);
    const meant = candidates.filter((owner) => {
      if (selector?.kind === "all") return gone || !this.#isGone(owner);
      const tags = this.#targets.service(owner.service)?.plan.tags;
      return selector !== undefined && selects(selector, { service: owner.service, number: owner.instance, tags });
    });
    if (meant.length > 0 || selector?.kind === "all") return meant;
    if (!gone && (selector?.kind !== "name" || this.#targets.service(selector.service) !== undefined)) {
      // Either it is unknown, or it has never run.
      this.#targets.named([name]);
      return meant;
    }
    const known = [...new Set(candidates.map(({ service }) => service))];
    const clause = suggestionClause(name, known) || thoseThere(gone ? "logs of gone services" : "logs", known);
    throw new ManagerError(
      "unknown",
      `nothing ${gone ? "that is gone " : ""}is called ${JSON.stringify(name)}${clause}`,
    );
  }

  async #empty(owner: LogOwner): Promise<number> {
    const bytes = await this.#store.empty(owner).catch((error: unknown) => {
      throw new ManagerError(
        "busy",
        `the log of ${instanceName(owner.service, owner.instance)} could not be emptied: ${error instanceof Error ? error.message : String(error)}`,
      );
    });
    if (this.#isGone(owner)) await this.#store.forget(owner);
    return bytes;
  }

  /** No part of the system any more, and nothing of it runs. */
  #isGone({ service, instance }: LogOwner): boolean {
    const record = this.#targets.service(service);
    if (record === undefined) return true;
    if (!record.isRemoved && instance <= record.plan.instances) return false;
    const live = this.#targets.live({ service, number: instance });
    return live === undefined || runsOf(live).length === 0;
  }
}
