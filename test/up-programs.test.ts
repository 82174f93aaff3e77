/** `colos up --foreground` with programs: what they say while they load counts. */
import { expect } from "vitest";
import { needsLinux } from "./debian.ts";
import { test } from "./system/place.ts";

const linux = needsLinux();
const script = `console.log("ready to accept"); setInterval(() => {}, 1000);`;
const body = `
  import { defineProgram } from "colos";
  export default defineProgram(async (self) => {
    console.log("ready to accept");
    await self.receive();
  });`;

linux.describe("colos up: a log check", () => {
  for (const { carrier, name, text } of [
    { carrier: "os-process", name: "script.mjs", text: script },
    { carrier: "thread", name: "script.mjs", text: script },
    { carrier: "os-process", name: "body.ts", text: body },
    { carrier: "thread", name: "body.ts", text: body },
    { carrier: "coroutine", name: "body.ts", text: body },
  ]) {
    test(`hears what ${name} on ${carrier} says at once`, async ({ place }) => {
      place.write(name, text);
      const service = { program: `./${name}`, carrier, instances: 2, ready: { log: "ready to accept" } };

      const colos = place.up({ service });
      await colos.line(/every service is ready/);

      expect(await colos.stop()).toEqual({ code: 0, signal: null });
    });
  }
});
