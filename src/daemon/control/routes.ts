/**
 * Routes: which endpoint a path means, made from the definitions.
 *
 * @module
 */
import type { Endpoint } from "../../context/interface.ts";
import { isReading } from "../../context/interface.ts";
import { mayBeLeftOut } from "../../context/schema.ts";
import { managerInterfaces } from "../../control/manager-interface.ts";
import { pathOf } from "../../control/manager-routes.ts";
import type { Manager } from "../../control/manager.ts";

/** One path and what it means. */
export interface Route {
  readonly path: string;
  readonly group: string;
  readonly name: keyof Manager;
  readonly endpoint: Endpoint;
  readonly methods: readonly ("GET" | "POST")[];
}

/** Every endpoint of the manager. */
export const routes: readonly Route[] = Object.values(managerInterfaces).flatMap(({ name: group, endpoints }) =>
  Object.entries(endpoints).map(([name, endpoint]: [string, Endpoint]) => ({
    path: pathOf(group, name),
    group,
    name: name as keyof Manager,
    endpoint,
    methods: isReading(endpoint) && mayBeLeftOut(endpoint.input) ? (["GET", "POST"] as const) : (["POST"] as const),
  })),
);

const byPath: ReadonlyMap<string, Route> = new Map(routes.map((route) => [route.path, route]));

/** The route of a path; undefined when there is none. */
export function findRoute(path: string): Route | undefined {
  return byPath.get(path);
}
