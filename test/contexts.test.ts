/** Contexts for programs on carriers with a kernel of their own. */
import {
  createSystem,
  defineInterface,
  endpoint,
  nodePlatform,
  nothing,
  program,
  restrict,
  serve,
  streamEndpoint,
  type Schema,
} from "colos";
import { describe, expect, test } from "vitest";

const { kernel } = createSystem({ platform: nodePlatform({ writeLine: () => {} }) });
const adder = program<unknown>("./programs/adder.ts", import.meta.url);

function schema<T>(what: string, accepts: (value: unknown) => boolean): Schema<T> {
  const validate = (value: unknown): { value: T } | { issues: { message: string }[] } =>
    accepts(value) ? { value: value as T } : { issues: [{ message: `it is not ${what}` }] };
  return { "~standard": { version: 1, vendor: "test", validate } };
}

const number = schema<number>("a number", (value) => typeof value === "number");
const by = schema<{ by: number }>("{ by: number }", (value) => typeof (value as { by?: unknown })?.by === "number");
const counters = defineInterface("counters", {
  add: endpoint({ input: by, output: number, effects: ["write"], help: "Add to the counter" }),
  count: streamEndpoint({ input: nothing, output: number, effects: ["read"], help: "Count" }),
  drop: endpoint({ input: nothing, output: nothing, effects: ["irreversible"], help: "Forget the counter" }),
});

describe.each(["coroutine", "thread", "os-process"])("a program on the %s carrier", (carrier) => {
  test("calls through the context that it was sent, and leaves a stream", async () => {
    const self = kernel.attach<unknown>();
    let sum = 0;
    const { promise: left, resolve } = deferred();
    const context = serve(self, counters, {
      add: ({ by }) => (sum += by),
      drop: () => {},
      async *count() {
        try {
          for (let number = 1; ; number += 1) yield number;
        } finally {
          resolve();
        }
      },
    });
    const narrow = await restrict(self, context, { only: ["add", "count"] });

    const pid = await self.start(adder, { carrier, link: false });
    self.send(pid, [self.pid, narrow]);
    const answer = await self.receive();
    await left;
    self.exit(pid, "kill");

    expect(answer).toEqual([3, "counters.add does not take this: it is not { by: number }", [1, 2, 3]]);
    expect(sum).toBe(3);
  });
});

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let settle = (): void => {};
  const promise = new Promise<void>((resolve) => (settle = resolve));
  return { promise, resolve: () => settle() };
}
