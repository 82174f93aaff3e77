/**
 * Testing: the contract suites that colos runs over its own plug-ins, for those who write others.
 *
 * @module
 */
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
export { testFileSystem, type FileSystemSuite, type FileSystemUnderTest } from "./file-system-contract.ts";
