/**
 * Dependency order: puts things before the things that depend on them, and names the cycle when there is none.
 *
 * Guarantees: apart from what dependencies force, the given order is kept; each cycle found is reported once, as
 * the path from a member back to itself. Dependencies on unknown names and on oneself are the caller's to
 * refuse; here they are passed over.
 *
 * @module
 */

/** Something with a name that depends on others. */
export interface Dependent {
  readonly name: string;
  readonly dependsOn: readonly { readonly name: string }[];
}

/** `order` is complete only when `cycles` is empty. A cycle starts and ends with the same name. */
export interface DependencyOrder<T extends Dependent> {
  readonly order: readonly T[];
  readonly cycles: readonly (readonly string[])[];
}

/** Sorts `items` so that every dependency comes before its dependents. Names are unique. */
export function dependencyOrder<T extends Dependent>(items: readonly T[]): DependencyOrder<T> {
  const byName = new Map(items.map((item) => [item.name, item]));
  const order: T[] = [];
  const cycles: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];

  const visit = (item: T): void => {
    if (done.has(item.name)) return;
    const start = path.indexOf(item.name);
    if (start >= 0) {
      cycles.push([...path.slice(start), item.name]);
      return;
    }
    path.push(item.name);
    for (const { name } of item.dependsOn) {
      const dependency = byName.get(name);
      if (dependency !== undefined && dependency !== item) visit(dependency);
    }
    path.pop();
    done.add(item.name);
    order.push(item);
  };
  for (const item of items) visit(item);
  return { order, cycles };
}
