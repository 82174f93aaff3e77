import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import {
  commandCarrier,
  coroutineCarrier,
  Kernel,
  nodePlatform,
  program,
  StartError,
  type Carrier,
  type ProgramLoader,
} from "colos";
import { testCarrier, type CarrierSystem } from "colos/testing";
import { describe, expect, test } from "vitest";
import { bundleProgram } from "../src/platforms/node/program-bundle.ts";
import { commandFixtures, fileFixtures } from "./carrier-fixtures.ts";

const colosUrl = new URL("../dist/index.js", import.meta.url).href;
const loader: ProgramLoader = { resolve: async (url) => (await bundleProgram(url, { colosUrl })).url };

/** A kernel whose log is silent: crashes are what these tests are about. */
function systemWith(carrier: Carrier): CarrierSystem {
  const platform = nodePlatform({ writeLine: () => {} });
  const kernel = new Kernel(platform, { carriers: new Map([[carrier.name, carrier]]) });
  return { kernel, close: () => kernel.close() };
}

describe("coroutine carrier", () => {
  const carrier = coroutineCarrier({ loader });
  testCarrier({
    carrier,
    system: () => systemWith(carrier),
    fixtures: fileFixtures(() => {}),
    test,
    skip: {
      "a message changed after sending arrives as it was sent": "inside one heap messages are not copied",
      "a value that cannot be copied fails in the sender and nothing is sent":
        "inside one heap messages are not copied",
      "kill ends a loop that never yields": "nothing can interrupt synchronous JavaScript in its own heap",
      "the loss of a carrier gives each process on it exactly one exit": "losing this heap is losing the observer too",
    },
  });

  test("a script that is no program fails its start with a sentence that names where it can run", async () => {
    const { kernel } = systemWith(carrier);
    const script = program("./programs/script.ts", import.meta.url);

    const start = kernel.attach().start(script, { carrier: "coroutine", link: false });

    await expect(start).rejects.toThrow(StartError);
    await expect(start).rejects.toThrow(/script\.\S+ is a script, .* os-process or thread carrier/);
  });
});

describe("command carrier", () => {
  const carrier = commandCarrier();
  testCarrier({ carrier, system: () => systemWith(carrier), fixtures: commandFixtures, test });

  test("shares colos's own output where the spawn says so", () => {
    const script = `
      import { command, commandCarrier, Kernel, nodePlatform } from "colos";
      const kernel = new Kernel(nodePlatform(), { carriers: new Map([["command", commandCarrier()]]) });
      kernel.spawn(command("sh", "-c", "cat; echo err >&2"), { output: "inherit", stdin: "inherit" });`;
    const root = fileURLToPath(new URL("..", import.meta.url));

    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      cwd: root,
      input: "from colos's own input",
      encoding: "utf8",
    });

    expect({ stdout, stderr }).toEqual({ stdout: "from colos's own input", stderr: "err\n" });
  });
});
