import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import {
  createSystem,
  isTagged,
  nodeCarriers,
  nodePlatform,
  program,
  StartError,
  type Carrier,
  type CarrierName,
} from "colos";
import { testCarrier, type CarrierSystem } from "colos/testing";
import { describe, expect, test } from "vitest";
import { commandFixtures, fileFixtures, lossFromInside, lossFromOutside } from "./carrier-fixtures.ts";

/** The carriers as colos puts them together. */
const carriers = new Map(nodeCarriers().map((carrier) => [carrier.name, carrier]));

function carrierNamed(name: CarrierName): Carrier {
  const carrier = carriers.get(name);
  if (carrier === undefined) throw new Error(`colos has no carrier ${name} on Node`);
  return carrier;
}

/** A system whose log is silent: crashes are what these tests are about. */
function silentSystem(): CarrierSystem {
  const { kernel } = createSystem({ platform: nodePlatform({ writeLine: () => {} }) });
  return { kernel, close: () => kernel.close() };
}

describe("coroutine carrier", () => {
  testCarrier({
    carrier: carrierNamed("coroutine"),
    system: silentSystem,
    fixtures: fileFixtures(lossFromInside),
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
    const { kernel } = silentSystem();
    const script = program("./programs/script.ts", import.meta.url);

    const start = kernel.attach().start(script, { carrier: "coroutine", link: false });

    await expect(start).rejects.toThrow(StartError);
    await expect(start).rejects.toThrow(/script\.\S+ is a script, .* os-process or thread carrier/);
  });
});

describe("thread carrier", () => {
  testCarrier({
    carrier: carrierNamed("thread"),
    system: silentSystem,
    fixtures: fileFixtures(lossFromInside),
    test,
  });
});

describe("os-process carrier", () => {
  testCarrier({
    carrier: carrierNamed("os-process"),
    system: silentSystem,
    // Its program had no say: it ends like every other process on the lost carrier.
    fixtures: fileFixtures({
      ...lossFromOutside,
      isReason: (reason) => isTagged(reason, "carrierDown") && lossFromOutside.isReason(reason["cause"]),
    }),
    test,
  });
});

describe("command carrier", () => {
  testCarrier({ carrier: carrierNamed("command"), system: silentSystem, fixtures: commandFixtures, test });

  test("shares colos's own output where the spawn says so", () => {
    const script = `
      import { command, createSystem } from "colos";
      createSystem().kernel.spawn(command("sh", "-c", "cat; echo err >&2"), { output: "inherit", stdin: "inherit" });`;
    const root = fileURLToPath(new URL("..", import.meta.url));

    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      cwd: root,
      input: "from colos's own input",
      encoding: "utf8",
    });

    expect({ stdout, stderr }).toEqual({ stdout: "from colos's own input", stderr: "err\n" });
  });
});
