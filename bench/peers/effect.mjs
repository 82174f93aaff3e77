/**
 * The benchmarks as Effect fibers: a fiber for a process, an unbounded queue of its own for its mailbox.
 *
 * @module
 */
import { Deferred, Effect, Fiber, Queue } from "effect";
import { assertSkynet, main, timed, weighed } from "../harness.mjs";

const ringSize = 1000;
const run = (generator) => Effect.runPromise(Effect.gen(generator));

await main({
  spawn: timed((count) =>
    run(function* () {
      const fibers = [];
      for (let index = 0; index < count; index++) fibers.push(yield* Effect.forkChild(Effect.void));
      yield* Fiber.awaitAll(fibers);
    }),
  ),

  spawn_monitor_down: timed((count) =>
    run(function* () {
      for (let index = 0; index < count; index++) yield* Fiber.await(yield* Effect.forkChild(Effect.void));
    }),
  ),

  ping_pong: timed((trips) =>
    run(function* () {
      const [mine, theirs] = [yield* Queue.unbounded(), yield* Queue.unbounded()];
      yield* Effect.forkChild(
        Effect.gen(function* () {
          for (;;) yield* Queue.offer((yield* Queue.take(theirs)).from, "pong");
        }),
      );
      for (let index = 0; index < trips; index++) {
        yield* Queue.offer(theirs, { from: mine });
        yield* Queue.take(mine);
      }
    }),
  ),

  ring: timed((hops) =>
    run(function* () {
      const done = yield* Deferred.make();
      const queues = [];
      for (let index = 0; index < ringSize; index++) queues.push(yield* Queue.unbounded());
      for (let index = 0; index < ringSize; index++) {
        yield* Effect.forkChild(hop(queues[index], queues[(index + 1) % ringSize], done));
      }
      yield* Queue.offer(queues[0], hops);
      yield* Deferred.await(done);
    }),
  ),

  call: timed((count) =>
    run(function* () {
      const requests = yield* Queue.unbounded();
      yield* Effect.forkChild(
        Effect.gen(function* () {
          for (;;) yield* Deferred.succeed((yield* Queue.take(requests)).reply, "pong");
        }),
      );
      for (let index = 0; index < count; index++) {
        const reply = yield* Deferred.make();
        yield* Queue.offer(requests, { reply });
        yield* Deferred.await(reply);
      }
    }),
  ),

  flood: timed((count) =>
    run(function* () {
      const mailbox = yield* Queue.unbounded();
      const sink = yield* Effect.forkChild(
        Effect.gen(function* () {
          for (let index = 0; index < count; index++) yield* Queue.take(mailbox);
        }),
      );
      for (let index = 0; index < count; index++) yield* Queue.offer(mailbox, index);
      yield* Fiber.await(sink);
    }),
  ),

  skynet: timed((leaves) =>
    run(function* () {
      const top = yield* Queue.unbounded();
      yield* Effect.forkChild(skynet(top, 0, leaves));
      assertSkynet(yield* Queue.take(top), leaves);
    }),
  ),

  memory: weighed((count) =>
    run(function* () {
      const kept = [];
      for (let index = 0; index < count; index++) {
        const mailbox = yield* Queue.unbounded();
        kept.push(mailbox, yield* Effect.forkDetach(Queue.take(mailbox)));
      }
      yield* Effect.yieldNow;
      return kept;
    }),
  ),
});

function hop(mine, next, done) {
  return Effect.gen(function* () {
    for (;;) {
      const hops = yield* Queue.take(mine);
      if (hops === 0) yield* Deferred.succeed(done, undefined);
      else yield* Queue.offer(next, hops - 1);
    }
  });
}

function skynet(parent, number, size) {
  return Effect.gen(function* () {
    if (size === 1) return void (yield* Queue.offer(parent, number));
    const part = size / 10;
    const mine = yield* Queue.unbounded();
    for (let index = 0; index < 10; index++) yield* Effect.forkChild(skynet(mine, number + index * part, part));
    let sum = 0;
    for (let index = 0; index < 10; index++) sum += yield* Queue.take(mine);
    yield* Queue.offer(parent, sum);
  });
}
