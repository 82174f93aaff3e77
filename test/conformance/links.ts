/** Links: OTP's statements (L). */
import { expect } from "vitest";
import type { Statement } from "./statement.ts";

export const links: readonly Statement[] = [
  {
    id: "L2",
    sentence: "linking twice is one link: exactly one exit message",
    prove: async (ground) => {
      const [a, b] = [await ground.puppet(), await ground.puppet()];
      await a.do("trapExit", true);
      await a.do("link", b.pid);
      await a.do("link", b.pid);

      await b.end("exitUncaught", "bye");

      expect(await a.receive({ type: "exit" })).toEqual({ type: "exit", from: b.pid, reason: "bye" });
      expect(await a.mailbox()).toEqual([]);
    },
  },
];
