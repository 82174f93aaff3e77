import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      { test: { name: "tidy", include: ["test/tidy.test.ts", "test/tidy/**/*.test.ts"] } },
      { test: { name: "unit", include: ["src/**/*.test.ts"] } },
      {
        test: {
          name: "system",
          include: ["test/**/*.test.ts"],
          exclude: ["test/tidy.test.ts", "test/tidy/**"],
          testTimeout: 30_000,
        },
      },
    ],
  },
});
