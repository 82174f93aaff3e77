/**
 * Testing: the contract suites that colos runs over its own plug-ins, for those who write others.
 *
 * @module
 */
export { PropertyError, refute, replayVariable, simulate, type SimulateOptions } from "./simulate.ts";
export { draw, type ArbitraryLike } from "./arbitraries.ts";
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
} from "./carrier-contract.ts";
export {
  streamBytes,
  testNetwork,
  type NetworkFixtures,
  type NetworkSuite,
  type NetworkSystem,
} from "./network-contract.ts";
export { testFileSystem, type FileSystemSuite, type FileSystemUnderTest } from "./file-system-contract.ts";
export { ColosUp, type ColosEnd, type ColosUpOptions } from "./colos-up.ts";
export { GuardError } from "./guard.ts";
export { injectors, injectorsFor, injectorTable, probeOnce } from "./injector-table.ts";
export {
  openInjectors,
  type Arsenal,
  type Injector,
  type Probe,
  type Start,
  type Strike,
  type StrikeOptions,
  type Target,
} from "./injector.ts";
export type { TortureWorld } from "./property-run.ts";
export type { PropertyFile } from "./system-process.ts";
export {
  TortureError,
  tellTorture,
  type Missed,
  type Skipped,
  type TortureFailure,
  type TortureReport,
} from "./torture-report.ts";
export { Victim, type VictimEnd } from "./victim.ts";
export { propertyFile, tortureSecondsDefault, type TortureOptions } from "./torture.ts";
export type { ContractSuite, TestContext } from "./contract.ts";
