import {
  commandCarrier,
  coroutineCarrier,
  isTagged,
  Kernel,
  nodePlatform,
  osProcessCarrier,
  program,
  StartError,
  threadCarrier,
  type Carrier,
  type ProgramLoader,
} from "colos";
import { testCarrier, type CarrierSystem } from "colos/testing";
import { describe, expect, test } from "vitest";
import { bundleProgram } from "../src/platforms/node/program-bundle.ts";
import { commandFixtures, fileFixtures, strikeFromOutside } from "./carrier-fixtures.ts";

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
});

describe("thread carrier", () => {
  const carrier = threadCarrier({ loader, entry: new URL("../dist/thread-entry.js", import.meta.url) });
  const fixtures = fileFixtures(({ kernel, pid }) => kernel.send(pid, "end the carrier"));
  testCarrier({
    carrier,
    system: () => systemWith(carrier),
    fixtures: {
      ...fixtures,
      // The thread's own process.exit(7) is the program's reason; the others on it lose their carrier.
      loss: (listener) => ({ ...fixtures.loss(listener), isReason: (reason) => isTagged(reason, "exitStatus") }),
    },
    test,
  });
});

describe("os-process carrier", () => {
  const carrier = osProcessCarrier({ loader, entry: new URL("../dist/os-process-entry.js", import.meta.url) });
  testCarrier({ carrier, system: () => systemWith(carrier), fixtures: fileFixtures(strikeFromOutside), test });
});
