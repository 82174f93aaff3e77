/**
 * The benchmarks as XState actors: state machines that send each other events, on the sender's stack. Left out is what
 * they do not have: a request with a reply, and a parent that is told by each of ten children in a tree.
 *
 * @module
 */
import { createActor, fromTransition } from "xstate";
import { main, timed, weighed } from "../harness.mjs";

const ringSize = 1000;

function actor(transition, state = null) {
  return createActor(fromTransition(transition, state)).start();
}

/** Settles when an actor of its own is sent an event; gives that actor to `body`. */
function untilTold(body) {
  return new Promise((resolve) => {
    body(actor(() => void resolve()));
  });
}

await main({
  spawn: timed((count) => {
    for (let index = 0; index < count; index++) actor((state) => state).stop();
  }),

  ping_pong: timed(
    (trips, pong) =>
      untilTold((parent) => {
        const ping = actor((left, _event, { self }) => {
          if (left === 0) parent.send({ type: "done" });
          else pong.send({ type: "ping", from: self });
          return left - 1;
        }, trips);
        ping.send({ type: "go" });
      }),
    () =>
      actor((state, { from }) => {
        from.send({ type: "pong" });
        return state;
      }),
  ),

  ring: timed(
    (hops, first) => untilTold((parent) => first.send({ type: "hop", hops, parent })),
    () => {
      const hop = (nextOf) =>
        actor((state, { hops, parent }) => {
          if (hops === 0) parent.send({ type: "done" });
          else nextOf().send({ type: "hop", hops: hops - 1, parent });
          return state;
        });
      let next;
      const first = hop(() => next);
      next = first;
      for (let index = 1; index < ringSize; index++) {
        const successor = next;
        next = hop(() => successor);
      }
      return first;
    },
  ),

  flood: timed((count) =>
    untilTold((parent) => {
      const sink = actor((taken) => {
        if (taken + 1 === count) parent.send({ type: "done" });
        return taken + 1;
      }, 0);
      for (let index = 0; index < count; index++) sink.send({ type: "number", index });
    }),
  ),

  memory: weighed((count) => Array.from({ length: count }, () => actor((state) => state))),
});
