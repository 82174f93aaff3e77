import { expect, test } from "vitest";
import { changeLines } from "./changes.ts";

test("a change is told in the words of the config", () => {
  const fields = [
    { path: "run.command", from: '["a"]', to: '["b"]' },
    { path: "run.file", from: '"/a.ts"', to: '"/b.ts"' },
    { path: "listenPort", to: "80" },
    { path: "ready", from: '{"kind":"none"}', to: '{"kind":"port","port":80}' },
  ];

  expect(changeLines([{ service: "web", kind: "change", effect: "restart", fields }], false)).toEqual([
    "~ web: restarts",
    '    command: ["a"] → ["b"]',
    '    program: "/a.ts" → "/b.ts"',
    "    listen: (not set) → 80",
    '    ready: (not set) → {"kind":"port","port":80}',
  ]);
});
