import { defineProgram, Groups, Registry, type AnyPid, type Process } from "colos";

/** What a member says of itself first. */
export interface Introduction {
  readonly pid: AnyPid;
  readonly ancestors: readonly (string | undefined)[];
  readonly callers: readonly AnyPid[];
}

/** Registers under a key, subscribes to a topic, and publishes to `answers` whatever it gets there. */
export default defineProgram(
  async (self: Process<unknown>, key: string, prefix: string) => {
    const topics = new Groups<string, unknown>(self, `${prefix} topics`);
    await new Registry<string, string>(self, `${prefix} names`).register(key, "a value");
    await topics.subscribe("questions");
    self.ready();
    const ancestors = self.ancestors.map(({ name }) => name);
    topics.publish("answers", { pid: self.pid, ancestors, callers: self.callers } satisfies Introduction);
    for (;;) topics.publish("answers", [key, await self.receive()]);
  },
  { acknowledges: true },
);
