/**
 * Manager routes: in which group each operation of the manager is, and nothing else, so that a client that must load fast
 * knows the way without the schemas.
 *
 * @module
 */
import type { Manager } from "./manager.ts";

/** The version of the control API; it stands in every path. */
export const apiVersion = 1;

/** The operations of each interface. */
export const managerGroups = {
  system: ["list", "check", "tree", "events", "down", "handOver"],
  plan: ["preview", "apply"],
  services: [
    "show",
    "start",
    "stop",
    "restart",
    "reload",
    "scale",
    "remove",
    "clearLogs",
    "kill",
    "send",
    "call",
    "why",
  ],
} as const;

/** The name of an interface. */
export type ManagerGroup = keyof typeof managerGroups;

/** The operations of one interface. */
export type OperationsOf<G extends ManagerGroup> = Pick<Manager, (typeof managerGroups)[G][number]>;

/** Where an endpoint is. */
export function pathOf(group: string, name: string): string {
  return `/v${apiVersion}/${group}/${name}`;
}

/** Those that only look: asked twice, they change no more than asked once. */
export const readingPaths: ReadonlySet<string> = new Set([
  pathOf("system", "list"),
  pathOf("system", "check"),
  pathOf("system", "tree"),
  pathOf("plan", "preview"),
  pathOf("services", "show"),
  pathOf("services", "why"),
]);
