/**
 * What an end of a channel may send, what waits, and what becomes of what does not fit.
 *
 * @module
 */
import { assert, constantFrom, integer, array, property, tuple } from "fast-check";
import { describe, expect, test } from "vitest";
import { ChannelFullError, windowMinBytes, type ChannelLimit } from "../kernel/signal.ts";
import { confirmedBytes, Outbox } from "./hosted-kernel-outbox.ts";
import type { Item } from "./hosted-kernel.ts";

const windowBytes = windowMinBytes;
/** A fourth of the window, with what an item is counted as beside its value. */
const quarterBytes = windowBytes / 4 - 16;

interface Scene {
  readonly outbox: Outbox;
  readonly told: string[];
}

function scene(limit: ChannelLimit = {}): Scene {
  const told: string[] = [];
  const outbox = new Outbox({ room: () => told.push("room"), full: () => told.push("full") });
  outbox.limit({ windowBytes, ...limit });
  return { outbox, told };
}

function message(value: number): Item {
  return ["message", "0.1", 1, value];
}

const down: Item = ["down", "0.1", 1, "reason"];

/** Takes batch after batch as a channel does; gives the values of the messages in them. */
function sendAll(outbox: Outbox, all = false): unknown[] {
  const items: Item[] = [];
  for (;;) {
    const batch = outbox.take(all);
    if (batch === null) return items.map((item) => (item[0] === "message" ? item[3] : item[0]));
    if (batch instanceof Uint8Array) throw new Error("nothing was packed");
    items.push(...batch);
    outbox.sent(outbox.takenBytes);
  }
}

describe("an outbox", () => {
  test("sends as much as the window takes; the rest waits until the other side confirms", () => {
    const { outbox } = scene();
    for (let count = 0; count < 10; count += 1) outbox.add(message(count), quarterBytes);

    const first = sendAll(outbox);
    const { underWayBytes, creditBytes, waitingCount } = outbox.state;
    outbox.confirmed(windowBytes / 2);
    const second = sendAll(outbox);

    expect([first, second]).toEqual([
      [0, 1, 2, 3],
      [4, 5],
    ]);
    expect([underWayBytes, creditBytes, waitingCount]).toEqual([windowBytes, 0, 6]);
  });

  test("says that there is no room from the window on, and that there is again at half of it", () => {
    const { outbox, told } = scene();
    for (let count = 0; count < 3; count += 1) outbox.add(message(count), quarterBytes);
    const before = outbox.hasRoom;
    outbox.add(message(3), quarterBytes);
    const after = outbox.hasRoom;
    sendAll(outbox);

    outbox.confirmed(windowBytes / 4);
    outbox.reportRoom();
    const toldEarly = [...told];
    outbox.confirmed(windowBytes / 4);
    outbox.reportRoom();

    expect([before, after, toldEarly, told]).toEqual([true, false, [], ["room"]]);
  });

  test("at the end sends all that waits, window or not", () => {
    const { outbox } = scene();
    for (let count = 0; count < 10; count += 1) outbox.add(message(count), quarterBytes);

    expect(sendAll(outbox, true)).toHaveLength(10);
  });

  test("keeps order, loses nothing and never has more under way than the window and one item", () => {
    const step = tuple(constantFrom("add", "take", "confirm"), integer({ min: 1, max: windowBytes }));
    assert(
      property(array(step, { maxLength: 200 }), (steps) => {
        const { outbox } = scene();
        const taken: unknown[] = [];
        let addedCount = 0;
        for (const [what, sizeBytes] of steps) {
          if (what === "add") outbox.add(message((addedCount += 1)), sizeBytes);
          else if (what === "take") taken.push(...sendAll(outbox));
          else outbox.confirmed(Math.min(sizeBytes, outbox.state.underWayBytes));
          expect(outbox.state.underWayBytes).toBeLessThan(2 * windowBytes + 16);
        }
        taken.push(...sendAll(outbox, true));
        expect(taken).toEqual(Array.from({ length: addedCount }, (_, index) => index + 1));
      }),
    );
  });

  test("gives a packed item in its place, alone", () => {
    const { outbox } = scene();
    const packed = new Uint8Array(windowBytes);
    outbox.add(message(0), 8);
    outbox.add({ packed, isMessage: true }, packed.length);
    outbox.add(message(1), 8);

    expect([outbox.take(true), outbox.take(true), outbox.take(true)]).toEqual([[message(0)], packed, [message(1)]]);
  });

  test("refuses a window smaller than what is confirmed twice", () => {
    expect(windowMinBytes).toBe(2 * confirmedBytes);
    expect(() => scene({ windowBytes: windowMinBytes - 1 })).toThrow(`at least ${windowMinBytes}`);
  });
});

describe("beyond the window, the policy", () => {
  /** Adds eight messages and a signal that always passes; a window is four messages. */
  function overfill(limit: ChannelLimit): Scene & { readonly failures: unknown[] } {
    const scenery = scene(limit);
    const failures: unknown[] = [];
    for (let count = 0; count < 8; count += 1) {
      try {
        scenery.outbox.add(message(count), quarterBytes);
      } catch (error) {
        failures.push(error);
      }
    }
    scenery.outbox.add(down, 8);
    return { ...scenery, failures };
  }

  test.each([
    ["block", [0, 1, 2, 3, 4, 5, 6, 7, "down"], 0],
    ["dropNewest", [0, 1, 2, 3, "down"], 4],
    ["dropOldest", [4, 5, 6, 7, "down"], 4],
    ["failSender", [0, 1, 2, 3, "down"], 4],
    ["endReceiver", [0, 1, 2, 3, "down"], 4],
  ] as const)("%s", (policy, sent, droppedCount) => {
    const { outbox, told, failures } = overfill({ policy });

    expect(outbox.state.droppedCount).toBe(droppedCount);
    expect(sendAll(outbox, true)).toEqual(sent);
    expect(told).toEqual(policy === "endReceiver" ? ["full", "full", "full", "full"] : []);
    expect(failures.map((error) => error instanceof ChannelFullError)).toEqual(
      policy === "failSender" ? [true, true, true, true] : [],
    );
    expect(outbox.hasRoom).toBe(policy !== "block");
  });

  test("dropOldest takes nothing back that is under way", () => {
    const { outbox } = scene({ policy: "dropOldest" });
    for (let count = 0; count < 4; count += 1) outbox.add(message(count), quarterBytes);
    const underWay = sendAll(outbox);

    for (let count = 4; count < 8; count += 1) outbox.add(message(count), quarterBytes);

    expect([underWay, sendAll(outbox, true), outbox.state.droppedCount]).toEqual([[0, 1, 2, 3], [7], 3]);
  });

  test("waitingMaxBytes ends the carrier whatever the policy", () => {
    const { outbox, told } = scene({ waitingMaxBytes: 2 * windowBytes });
    for (let count = 0; count < 8; count += 1) outbox.add(message(count), quarterBytes);
    const before = [...told];

    outbox.add(message(8), quarterBytes);

    expect([before, told]).toEqual([[], ["full"]]);
  });
});
