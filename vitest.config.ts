import { defineConfig } from "vitest/config";
import { ClosingLine } from "./test/closing-line.ts";
import { LongestFirst } from "./test/longest-first.ts";

export default defineConfig({
  test: {
    // Most of the time is spent waiting for OS processes to start; vitest alone would leave a core of two unused.
    maxWorkers: 2,
    reporters: ["default", new ClosingLine()],
    sequence: { sequencer: LongestFirst },
    projects: [
      { test: { name: "tidy", include: ["test/tidy.test.ts", "test/tidy/**/*.test.ts"], testTimeout: 30_000 } },
      { test: { name: "unit", include: ["src/**/*.test.ts"], testTimeout: 30_000 } },
      {
        test: {
          name: "system",
          include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: ["test/tidy.test.ts", "test/tidy/**"],
          testTimeout: 30_000,
          // The built package is what people import; vitest must not load a second copy of its modules.
          server: { deps: { external: [/\/dist\//] } },
        },
      },
    ],
  },
});
