/**
 * Moves: what a client may ask for next, and what is wanted after it.
 *
 * @module
 */
import type { World } from "colos/testing";
import type { Client, Operation } from "./client.ts";
import { changed, epochOf, type Wanted, type WantedService } from "./fleet.ts";

/** How long an operation waits that waits, in milliseconds. */
const waitMsMax = 2_000;

const kinds = ["apply", "stop", "start", "restart", "reload", "scale", "remove"] as const;

/** Drawn from the seed. */
export function nextMove(client: Client, world: World): Operation {
  const { wanted } = client;
  const name = world.choose("service", changed);
  const kind = world.choose("operation", kinds);
  const wait = world.chance("wait", 0.2);
  const names = { names: [name], wait, timeoutMs: waitMsMax };
  const service = wanted.get(name);
  // Two services at once, and all that was removed is back.
  if (service === undefined || kind === "apply") return client.apply(allUp(wanted));
  const title = `${kind} ${name}${wait ? ", waiting" : ""}`;
  const up = withService(wanted, name, { ...service, target: "up" });
  switch (kind) {
    case "stop": {
      const effect = withService(wanted, name, { ...service, target: "down" });
      return { name: title, effect, run: (manager) => manager.stop(names) };
    }
    case "remove": {
      // The web's clients are to be served most of the time.
      if (name === "web") return { name: `reload ${name}`, effect: up, run: (manager) => manager.reload(names) };
      return { name: title, effect: withService(wanted, name, undefined), run: (manager) => manager.remove(names) };
    }
    case "scale": {
      const instances = world.choose("instances", [1, 2, 3]);
      const effect = withService(wanted, name, { ...service, instances });
      return {
        name: `${title} to ${instances}`,
        effect,
        run: (manager) => manager.scale({ name, instances, wait, timeoutMs: waitMsMax }),
      };
    }
    default:
      return { name: title, effect: up, run: (manager) => manager[kind](names) };
  }
}

/** Everything, of another version. */
export function allUp(wanted: Wanted): Wanted {
  return new Map(changed.map((each) => [each, renewed(wanted.get(each), each, epochOf(wanted) + 1)]));
}

/** All but one get another version together. */
function renewed(service: WantedService | undefined, name: string, epoch: number): WantedService {
  const { instances = 1, version = 1 } = service ?? {};
  return { target: "up", instances, version: name === "gamma" ? version : epoch };
}

function withService(wanted: Wanted, name: string, service: WantedService | undefined): Wanted {
  const next = new Map(wanted);
  if (service === undefined) next.delete(name);
  else next.set(name, service);
  return next;
}
