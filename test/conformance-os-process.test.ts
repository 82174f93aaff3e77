/** OTP's semantics with the processes under test on the carrier os-process. */
import { testConformance } from "./conformance/suite.ts";

testConformance("os-process");
