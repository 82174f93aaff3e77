import { describe, expect, test } from "vitest";
import { abortText, conditionsMax, parseAbortConditions } from "./abort-condition.ts";

/** The same text again, or the problem. */
function again(text: string): string {
  const parsed = parseAbortConditions(text);
  return "problem" in parsed ? parsed.problem : abortText(parsed);
}

describe("abort conditions", () => {
  test.each([
    ["failed", "failed"],
    ["web degraded", "web degraded"],
    ["not-ready", "not-ready"],
    ["web.2 not-ready > 10s", "web.2 not-ready > 10s"],
    ["not-ready > 1 min", "not-ready > 60s"],
    ["not-ready > 2m", "not-ready > 120s"],
    ["not-ready > 500ms", "not-ready > 500ms"],
    ["restarts > 20", "restarts > 20"],
    ["web restarts > 0", "web restarts > 0"],
    ["no-daemon > 30s", "no-daemon > 30s"],
    ["probe http://localhost:80/a fails > 5s", "probe http://localhost:80/a fails > 5s"],
    ["  failed  or degraded or probe https://a fails ", "failed or degraded or probe https://a fails"],
  ])("%s is understood", (text, expected) => {
    expect(again(text)).toBe(expected);
  });

  test.each([
    ["", /a condition is missing/],
    ["failed or", /a condition is missing/],
    ["faild", /"faild" is not a condition; did you mean "failed"\?/],
    ["web faild", /did you mean "failed"/],
    ["failed > 10s", /nothing stands behind failed/],
    ["not-ready 10s", /written "not-ready" or "not-ready > 10s"/],
    ["not-ready > 10", /written "not-ready"/],
    ["not-ready > 2h", /written "not-ready"/],
    ["restarts", /written "restarts > 20"/],
    ["restarts > 1.5", /written "restarts > 20"/],
    ["web no-daemon", /is not a condition/],
    ["probe localhost fails", /probe is written/],
    ["probe file:///etc/passwd fails", /probe is written/],
    ["probe http://a", /probe is written/],
    ["process.exit(1)", /is not a condition/],
  ])("%s is refused", (text, expected) => {
    expect(again(text)).toMatch(expected);
  });

  test("are no more than the limit", () => {
    expect(again(Array(conditionsMax).fill("failed").join(" or "))).toContain("failed or failed");
    expect(
      again(
        Array(conditionsMax + 1)
          .fill("failed")
          .join(" or "),
      ),
    ).toMatch(/more than 20/);
  });
});
