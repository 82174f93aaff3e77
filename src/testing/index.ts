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
export {
  streamBytes,
  testNetwork,
  type NetworkFixtures,
  type NetworkSuite,
  type NetworkSystem,
} from "./network-contract.ts";
