/**
 * The benchmarks as nact programs: actors in one heap, a message per turn of the event loop.
 *
 * @module
 */
import nact from "nact";
import { assertSkynet, main, timed, weighed } from "../harness.mjs";

const { dispatch, query, start, stop } = nact;

const ringSize = 1000;
let actorsCount = 0;

/** With names of their own: those that nact gives are random numbers of 32 bits, and among 100,000 two are equal. */
function spawn(parent, handle, initialState) {
  actorsCount += 1;
  return nact.spawn(parent, handle, `a${actorsCount}`, { initialState });
}

function spawnStateless(parent, handle) {
  actorsCount += 1;
  return nact.spawnStateless(parent, handle, `a${actorsCount}`);
}

/** Settles with the first message that an actor of its own gets; gives that actor to `body`. */
function untilTold(system, body) {
  return new Promise((resolve) => {
    body(spawnStateless(system, resolve));
  });
}

await main({
  spawn: timed((count, system) => {
    for (let index = 0; index < count; index++) stop(spawnStateless(system, () => {}));
  }, start),

  ping_pong: timed(
    (trips, { system, pong }) =>
      untilTold(system, (parent) => {
        const ping = spawn(
          system,
          (left) => {
            if (left === 0) dispatch(parent, "done");
            else dispatch(pong, { from: ping });
            return left - 1;
          },
          trips,
        );
        dispatch(ping, "go");
      }),
    () => {
      const system = start();
      return { system, pong: spawnStateless(system, ({ from }) => dispatch(from, "pong")) };
    },
  ),

  ring: timed(
    (hops, { system, first }) => untilTold(system, (parent) => dispatch(first, { hops, parent })),
    () => {
      const system = start();
      const hop = (nextOf) =>
        spawnStateless(system, (message) => {
          if (message.hops === 0) dispatch(message.parent, "done");
          else dispatch(nextOf(), { hops: message.hops - 1, parent: message.parent });
        });
      let next;
      const first = hop(() => next);
      next = first;
      for (let index = 1; index < ringSize; index++) {
        const successor = next;
        next = hop(() => successor);
      }
      return { system, first };
    },
  ),

  call: timed(
    async (count, server) => {
      for (let index = 0; index < count; index++) await query(server, (from) => ({ from }), 5000);
    },
    () => spawnStateless(start(), ({ from }) => dispatch(from, "pong")),
  ),

  flood: timed(
    (count, system) =>
      untilTold(system, (parent) => {
        const sink = spawn(
          system,
          (taken) => {
            if (taken + 1 === count) dispatch(parent, "done");
            return taken + 1;
          },
          0,
        );
        for (let index = 1; index <= count; index++) dispatch(sink, index);
      }),
    start,
  ),

  skynet: timed(async (leaves, system) => {
    const sum = await untilTold(system, (parent) => skynet(system, parent, 0, leaves));
    assertSkynet(sum.sum, leaves);
  }, start),

  memory: weighed((count) => {
    const system = start();
    for (let index = 0; index < count; index++) spawnStateless(system, () => {});
    return system;
  }),
});

/** A message that is false would not be taken, hence the objects. */
function skynet(system, parent, number, size) {
  if (size === 1) return void dispatch(parent, { sum: number });
  let sum = 0;
  let left = 10;
  const self = spawnStateless(system, (message) => {
    if (message.start === true) {
      const part = size / 10;
      for (let index = 0; index < 10; index++) spawnPart(system, self, number + index * part, part);
      return;
    }
    sum += message.sum;
    left -= 1;
    if (left > 0) return;
    dispatch(parent, { sum });
    stop(self);
  });
  dispatch(self, { start: true });
}

function spawnPart(system, parent, number, size) {
  if (size > 1) return skynet(system, parent, number, size);
  const leaf = spawnStateless(system, () => {
    dispatch(parent, { sum: number });
    stop(leaf);
  });
  dispatch(leaf, { start: true });
}
