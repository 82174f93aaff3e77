import { describe, test } from "vitest";
import { FakeSimulatedHost } from "../../test/fake-simulated-host.ts";
import { testFileSystem } from "../testing/file-system-contract.ts";
import { SimulatedFileSystem } from "./sim-file-system.ts";

describe("simulated file system", () => {
  testFileSystem({ system: () => ({ files: new SimulatedFileSystem(new FakeSimulatedHost()) }), test });
});
