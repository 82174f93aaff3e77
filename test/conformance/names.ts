/** Names: OTP's statements (R). */
import { expect } from "vitest";
import type { Statement } from "./statement.ts";

export const names: readonly Statement[] = [
  {
    id: "R7",
    sentence: "whereis gives undefined for a free name",
    prove: async (ground) => {
      const puppet = await ground.puppet();

      expect(await puppet.do("whereis", "nobody")).toBe(undefined);
    },
  },
];
