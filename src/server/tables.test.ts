/** Registries and groups against a model: whatever processes of two kernels do and however they end, both agree. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AnyPid } from "../kernel/pid.ts";
import type { AnyProcess } from "../kernel/process.ts";
import { handOver, pair, type Pair } from "../testing/tied-worlds.ts";
import { Groups, isGroupMessage, startGroups } from "./groups.ts";
import { Registry, startRegistry } from "./registry.ts";

const actorsCount = 4;
const actor = fc.nat(actorsCount - 1);
const key = fc.constantFrom<unknown>("a", 1, { b: [1] });
const runs = { numRuns: 150 };

/** Somebody who does things: two in the kernel of the table, two below it. */
interface Actor {
  readonly self: AnyProcess;
  /** As the table's kernel knows it. */
  readonly pid: AnyPid;
}

function actorsOf({ root, child }: Pair): Actor[] {
  return Array.from({ length: actorsCount }, (_, index) => {
    const there = index % 2 === 1;
    const self = (there ? child : root).kernel.attach();
    return { self, pid: there ? handOver(self.pid, child, root) : self.pid };
  });
}

/** Whether a process may still do something. */
function isUp({ self }: Actor): boolean {
  return self.stage === "live";
}

describe("a registry", () => {
  const action = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant("register" as const), actor, key, value: fc.nat(9) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("unregister" as const), actor, key, value: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("end" as const), actor, key, value: fc.nat(9) }) },
  );

  test.each(["unique", "duplicate"] as const)("with %s keys has what its model has", async (keys) => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
        const both = pair();
        const actors = actorsOf(both);
        const registry = await startRegistry(both.root.self, { keys, name: "names" });
        const answers: [got: boolean, wanted: boolean][] = [];
        let model: { actor: Actor; key: unknown; value: number }[] = [];
        for (const step of actions) {
          const one = actors[step.actor]!;
          if (!isUp(one)) continue;
          const names = new Registry<unknown, number>(one.self, "names");
          if (step.do === "register") {
            const isTaken = keys === "unique" && model.some((entry) => entry.key === step.key);
            if (!isTaken) model.push({ actor: one, key: step.key, value: step.value });
            answers.push([(await names.register(step.key, step.value)).ok, !isTaken]);
          } else if (step.do === "unregister") {
            await names.unregister(step.key);
            model = model.filter((entry) => entry.actor !== one || entry.key !== step.key);
          } else {
            one.self.kernel.end(one.self, "over");
            await both.root.settle();
            model = model.filter((entry) => entry.actor !== one);
          }
          const seen = new Registry<unknown, number>(both.root.self, registry);
          const entries = model.filter((entry) => entry.key === step.key);
          expect(await seen.lookup(step.key)).toEqual(entries.map(({ actor: { pid }, value }) => ({ pid, value })));
          expect(await seen.keys(one.pid)).toEqual(model.flatMap((entry) => (entry.actor === one ? [entry.key] : [])));
          expect(await seen.count()).toBe(model.length);
        }
        expect(answers.map(([got]) => got)).toEqual(answers.map(([, wanted]) => wanted));
      }),
      runs,
    );
  });
});

describe("groups", () => {
  const action = fc.record({
    do: fc.constantFrom("join", "join", "join", "leave", "unsubscribe", "end"),
    actor,
    other: actor,
    key,
  });

  test("have the members that the model has, and monitors are told of each change, once", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
        const both = pair();
        const { root } = both;
        const actors = actorsOf(both);
        await startGroups(root.self, { name: "scope" });
        const seen = new Groups(root.self, "scope");
        await seen.monitorScope();
        const answers: [got: boolean, wanted: boolean][] = [];
        let model: { readonly pid: AnyPid; readonly key: unknown }[] = [];
        const told = new Map<string, AnyPid[]>();
        for (const step of actions) {
          const [one, other] = [actors[step.actor]!, actors[step.other]!];
          if (!isUp(one)) continue;
          const groups = new Groups(one.self, "scope");
          const otherPid = one.self.kernel === root.kernel ? other.pid : handOver(other.pid, root, both.child);
          if (step.do === "join") {
            await groups.join(step.key, [one.self.pid, otherPid]);
            await root.settle();
            for (const joined of [one, other]) if (isUp(joined)) model.push({ pid: joined.pid, key: step.key });
          } else if (step.do === "leave") {
            const place = model.findIndex(({ pid, key: group }) => pid === other.pid && group === step.key);
            answers.push([await groups.leave(step.key, otherPid), place >= 0]);
            if (place >= 0) model.splice(place, 1);
          } else if (step.do === "unsubscribe") {
            await groups.unsubscribe(step.key);
            model = model.filter(({ pid, key: group }) => pid !== one.pid || group !== step.key);
          } else {
            one.self.kernel.end(one.self, "over");
            await root.settle();
            model = model.filter(({ pid }) => pid !== one.pid);
          }
          const members = model.flatMap(({ pid, key: group }) => (group === step.key ? [pid] : []));
          expect(sorted(await seen.getMembers(step.key))).toEqual(sorted(members));
          for (const message of await root.all()) if (isGroupMessage(message)) follow(told, message);
          expect(sorted(told.get(JSON.stringify(step.key)) ?? [])).toEqual(sorted(members));
        }
        expect((await seen.info()).memberships).toBe(model.length);
        expect(answers.map(([got]) => got)).toEqual(answers.map(([, wanted]) => wanted));
      }),
      runs,
    );
  });
});

function sorted(pids: readonly AnyPid[]): string[] {
  return pids.map(String).toSorted();
}

/** Changes what a monitor knows by what it is told. */
function follow(told: Map<string, AnyPid[]>, message: { type: string; group: unknown; pids: readonly AnyPid[] }): void {
  const place = JSON.stringify(message.group);
  const members = told.get(place) ?? [];
  told.set(place, members);
  for (const pid of message.pids) {
    if (message.type === "groupJoin") members.push(pid);
    else members.splice(members.indexOf(pid), 1);
  }
}
