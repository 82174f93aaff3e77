/**
 * What both sides of `carriers.mjs` send, and how they send it.
 *
 * @module
 */

/** Messages sent in a row before others get their turn. */
const messagesPerTurn = 200;

/** About 100 bytes as JSON. */
export function messageOf(index) {
  return {
    id: index,
    kind: "order",
    customer: "Ada Lovelace",
    amount: 12.5,
    open: true,
    tags: ["new", "paid"],
    at: 1e12,
  };
}

/** Sends `count` messages, one call each. */
export async function flood(count, send, turn) {
  for (let index = 1; index <= count; index += 1) {
    send(messageOf(index));
    if (index % messagesPerTurn === 0) await turn();
  }
}

/** What to do for each answer: the next trip, and at the end `done`. */
export function trips(count, send, done) {
  let index = 0;
  return () => {
    if (index === count) {
      done();
      return;
    }
    send({ trip: index });
    index += 1;
  };
}
