import { defineProgram, type AnyProcess } from "colos";

/** Blocks its event loop again and again. */
export default defineProgram(async (self: AnyProcess) => {
  for (;;) {
    await self.receive(() => false, { timeoutMs: 100 });
    blockForAWhile();
  }
});

function blockForAWhile(): void {
  const untilMs = performance.now() + 300;
  while (performance.now() < untilMs);
}
