/** What becomes of the commands of a Node that uses colos as a library, when it ends without having ended them. */
import { expect } from "vitest";
import { needsLinux } from "./debian.ts";
import type { ColosProcess } from "./system/colos-process.ts";
import { test, type Place } from "./system/place.ts";

const linux = needsLinux();
const library = new URL("../dist/index.js", import.meta.url).href;
const polite = "trap 'echo bye >gone; exit' TERM; echo up; while :; do sleep 0.01; done";
const deaf = "trap '' TERM; echo up; while :; do sleep 1000; done";

/** A program that keeps a shell up, writes what that says, and then does as `last` says. */
function start(place: Place, shell: string, last = ""): ColosProcess {
  place.write("gone", "");
  const file = place.write(
    "program.mjs",
    `import { child, command, createSystem, startSupervisor } from ${JSON.stringify(library)};
     const self = createSystem().kernel.attach();
     const output = (stream, data) => process.stdout.write(data);
     await startSupervisor(self, { children: [child("shell", command("sh", "-c", ${JSON.stringify(shell)}), { output })] });
     ${last}`,
  );
  return place.run([process.execPath, file]);
}

linux.describe("a command of a Node that ends", () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    test(`by ${signal} is stopped in order`, async ({ place }) => {
      const program = start(place, polite);
      await program.line(/up/);

      program.signal(signal);

      expect(await program.ended).toEqual({ code: null, signal });
      expect(place.read("gone")).toBe("bye\n");
    });
  }

  test("with an exit code of its own is stopped in order", async ({ place }) => {
    const program = start(place, polite, "process.once('SIGUSR2', () => process.exit(3)); console.log('set');");
    await Promise.all([program.line(/up/), program.line(/set/)]);

    program.signal("SIGUSR2");

    expect(await program.ended).toEqual({ code: 3, signal: null });
    expect(place.read("gone")).toBe("bye\n");
  });

  test("is killed when it does not obey", async ({ place }) => {
    const program = start(place, deaf);
    await program.line(/up/);

    program.signal("SIGINT");

    expect(await program.ended).toEqual({ code: null, signal: "SIGINT" });
  });

  test("lives on when the program takes the signal for something else", async ({ place }) => {
    const program = start(place, polite, "process.on('SIGHUP', () => console.log('heard')); console.log('set');");
    await Promise.all([program.line(/up/), program.line(/set/)]);

    program.signal("SIGHUP");
    await program.line(/heard/);

    expect(place.read("gone")).toBe("");
    program.signal("SIGINT");
    expect(await program.ended).toEqual({ code: null, signal: "SIGINT" });
  });
});
