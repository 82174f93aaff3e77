import { describe, expect, test } from "vitest";
import { instantOf, localTimeAt, timeZoneProblem, zonesMax } from "./time-zone.ts";

describe("time zone: names", () => {
  test("a known name has no problem, in any case", () => {
    expect(["UTC", "Europe/Berlin", "europe/berlin"].map(timeZoneProblem)).toEqual([undefined, undefined, undefined]);
  });

  test("an unknown name is answered with the nearest", () => {
    expect(timeZoneProblem("Europe/Berln")).toBe(
      '"Europe/Berln" is not a time zone such as Europe/Berlin or UTC; did you mean "Europe/Berlin"?',
    );
    expect(timeZoneProblem("")).toBe('"" is not a time zone such as Europe/Berlin or UTC');
  });
});

describe("time zone: there and back", () => {
  test("more zones than are kept give the same answers", () => {
    const zones = Intl.supportedValuesOf("timeZone").slice(0, 2 * zonesMax);
    const at = Date.parse("2024-06-01T12:34:56.789Z");
    const answers = () => zones.map((zone) => localTimeAt(at, zone));

    expect(answers()).toEqual(answers());
    expect(zones.map((zone) => instantOf(localTimeAt(at, zone), zone))).toEqual(zones.map(() => at));
  });

  test("without a name it is the machine's zone", () => {
    const at = Date.parse("2024-06-01T12:00Z");

    expect(localTimeAt(at, undefined)).toBe(at - new Date(at).getTimezoneOffset() * 60_000);
  });
});
