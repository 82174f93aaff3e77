/** OTP's semantics with the processes under test on the carrier thread. */
import { testConformance } from "./conformance/suite.ts";

testConformance("thread");
