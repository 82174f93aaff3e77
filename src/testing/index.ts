/**
 * Testing: the contract suites that colos runs over its own plug-ins, for those who write others.
 *
 * @module
 */
export { PropertyError, refute, replayVariable, simulate, type SimulateOptions } from "./simulate.ts";
export { SealedGlobalError } from "./sealed-globals.ts";
export * from "../sim/index.ts";
export {
  burstCount,
  crowdCount,
  hearMs,
  testCarrier,
  type CarrierFixtures,
  type CarrierSuite,
  type CarrierSystem,
  type Launch,
  type TestContext,
} from "./carrier-contract.ts";
export {
  streamBytes,
  testNetwork,
  type NetworkFixtures,
  type NetworkSuite,
  type NetworkSystem,
} from "./network-contract.ts";
export { testFileSystem, type FileSystemSuite, type FileSystemUnderTest } from "./file-system-contract.ts";
