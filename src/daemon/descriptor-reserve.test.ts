import { expect, test } from "vitest";
import { FakeClock } from "../../test/fake-cli-host.ts";
import { DescriptorReserve, marginCount, reserveCount, reserveLookMs } from "./descriptor-reserve.ts";

/** An OS process that may have so many file descriptors, of which others use some. */
function reserved(max: number) {
  const clock = new FakeClock();
  const told: (string | undefined)[] = [];
  const table = { max, others: 0 };
  const own = new Set<number>();
  let next = 0;
  const open = (): number => {
    if (own.size + table.others >= table.max) throw Object.assign(new Error("EMFILE"), { code: "EMFILE" });
    own.add((next += 1));
    return next;
  };
  const close = (fd: number): void => void own.delete(fd);
  const reserve = new DescriptorReserve({ clock, open, close, onChange: (sentence) => void told.push(sentence) });
  return { clock, told, table, own, reserve };
}

test("descriptor reserve: some are kept, and given up when there are no others", () => {
  const { clock, told, table, own, reserve } = reserved(64);
  expect([own.size, reserve.shortage]).toEqual([reserveCount, undefined]);

  table.others = 64 - reserveCount;
  clock.advance(reserveLookMs);

  expect([own.size, told]).toEqual([0, [reserve.shortage]]);
  expect(reserve.shortage).toContain("no more file descriptors");
});

test("descriptor reserve: the shortage is over when there is room for the reserve and a margin, not before", () => {
  const { clock, told, table, own, reserve } = reserved(64);
  table.others = 64;
  clock.advance(reserveLookMs);
  table.others = 64 - reserveCount - marginCount + 1;
  clock.advance(reserveLookMs);
  expect([own.size, told.length]).toEqual([0, 1]);

  table.others -= 1;
  clock.advance(reserveLookMs);

  expect([own.size, reserve.shortage, told.at(-1)]).toEqual([reserveCount, undefined, undefined]);
  expect(told).toHaveLength(2);
});

test("descriptor reserve: too few from the beginning are a shortage from the beginning; after the end nothing is kept", () => {
  const few = reserved(reserveCount - 1);
  expect([few.own.size, few.told.length]).toEqual([0, 1]);
  const { own, clock, reserve } = reserved(64);
  reserve.close();
  expect([own.size, clock.timersCount]).toEqual([0, 0]);
});
