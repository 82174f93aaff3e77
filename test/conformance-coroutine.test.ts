/** OTP's semantics with the processes under test on the carrier coroutine. */
import { testConformance } from "./conformance/suite.ts";

testConformance("coroutine");
