/**
 * State machine statements: what gen_statem does, as traces of what its callbacks see. One table for two judges: colos
 * (src/server/state-machine.test.ts) and Erlang itself (state-machine.test.ts, which runs state_machine.erl).
 *
 * A line of a trace is an event's type, its content when that is a word, and the state it finds; `terminate` has a reason.
 *
 * @module
 */

/** One statement. */
export interface Statement {
  readonly id: string;
  readonly says: string;
  readonly trace: readonly string[];
}

export const statements: readonly Statement[] = [
  {
    id: "GS1",
    says: "inserted events come first, in the order of the list, then postponed ones, then zero time-outs, then what is queued",
    trace: [
      "cast a",
      "cast a",
      "internal i1 b",
      "cast i2 b",
      "cast b",
      "stateTimeout s b",
      "timeout:n g b",
      "cast queued b",
    ],
  },
  {
    id: "GS2",
    says: "zero time-outs come in the order in which they were set",
    trace: ["cast a", "timeout:n g a", "stateTimeout s a", "timeout:m h a"],
  },
  {
    id: "GS3",
    says: "an event time-out of zero is cancelled by a zero time-out that was set before it",
    trace: ["cast a", "timeout:n g a", "stateTimeout s a"],
  },
  {
    id: "GS4",
    says: "an event time-out of zero that was set first comes first, and the other zero time-outs after it",
    trace: ["cast a", "eventTimeout e a", "timeout:n g a", "stateTimeout s a"],
  },
  {
    id: "GS5",
    says: "an event time-out of zero comes before an event that is in the mailbox already",
    trace: ["cast a", "eventTimeout e a", "cast queued a"],
  },
  {
    id: "GS6",
    says: "a state time-out of zero comes before an event that is in the mailbox already",
    trace: ["cast a", "stateTimeout s a", "cast queued a"],
  },
  {
    id: "GS7",
    says: "an event that a zero time-out inserts comes before the next zero time-out",
    trace: ["cast a", "stateTimeout s a", "internal i a", "timeout:n g a"],
  },
  {
    id: "GS8",
    says: "a zero state time-out that waits is cancelled by a change of state, other zero time-outs are not",
    trace: ["cast a", "internal i a", "timeout:n g b"],
  },
  {
    id: "GS9",
    says: "repeatState without stateEnter retries nothing and leaves the state time-out",
    trace: ["cast a", "cast a", "cast a", "stateTimeout s a"],
  },
  {
    id: "GS10",
    says: "repeatState with stateEnter enters again, retries nothing and leaves the state time-out",
    trace: ["enter a a", "cast a", "cast a", "cast a", "enter a a", "stateTimeout s a"],
  },
  {
    id: "GS11",
    says: "nextState to the same state is no change: no entering, no retry, the state time-out stays",
    trace: ["enter a a", "cast a", "cast a", "cast a", "stateTimeout s a"],
  },
  {
    id: "GS12",
    says: "the first state is entered from itself, before the events and time-outs of init",
    trace: ["enter a a", "internal i a", "stateTimeout s a"],
  },
  { id: "GS13", says: "postpone from init does nothing", trace: ["cast x a", "cast a"] },
  {
    id: "GS14",
    says: "actions of entering count as behind those of the event: of two state time-outs the later one stays",
    trace: ["enter a a", "cast a", "enter a b", "internal i b", "stateTimeout enter b"],
  },
  {
    id: "GS15",
    says: "postpone on entering is a bad action",
    trace: ["enter a a", "cast a", "enter a b", "terminate badStateEnterActionFromStateFunction b"],
  },
  {
    id: "GS16",
    says: "nextEvent on entering is a bad action",
    trace: ["enter a a", "cast a", "enter a b", "terminate badStateEnterActionFromStateFunction b"],
  },
  {
    id: "GS17",
    says: "another state on entering is a bad return",
    trace: ["enter a a", "cast a", "enter a b", "terminate badStateEnterReturnFromStateFunction b"],
  },
  {
    id: "GS18",
    says: "the same state on entering is right, and nothing is entered again",
    trace: ["enter a a", "cast a", "enter a b"],
  },
  {
    id: "GS19",
    says: "repeatState on entering enters once more, from the same old state",
    trace: ["enter a a", "cast a", "enter a b", "enter a b"],
  },
  {
    id: "GS20",
    says: "stop on entering ends the machine in the new state",
    trace: ["enter a a", "cast a", "enter a b", "terminate r b"],
  },
  {
    id: "GS21",
    says: "a bad return ends the machine in the state it was in",
    trace: ["cast a", "terminate badReturnFromStateFunction a"],
  },
  {
    id: "GS22",
    says: "a bad action ends the machine in the state it was going to",
    trace: ["cast a", "terminate badActionFromStateFunction b"],
  },
  { id: "GS23", says: "a transition that is thrown counts as returned", trace: ["cast a", "cast queued b"] },
  {
    id: "GS24",
    says: "an error ends the machine in the state in which it was thrown",
    trace: ["cast a", "internal i b", "terminate boom b"],
  },
  {
    id: "GS25",
    says: "update gives a running time-out another content and leaves its time; without one it is due at once",
    trace: ["cast a", "cast a", "timeout:n fresh a", "stateTimeout new a"],
  },
  {
    id: "GS26",
    says: "cancel and Infinity end a time-out, others of other names run on",
    trace: ["cast a", "cast a", "timeout:m h a"],
  },
  { id: "GS27", says: "any event cancels the event time-out", trace: ["cast a", "cast any a"] },
  { id: "GS28", says: "an inserted event cancels an event time-out set with it", trace: ["cast a", "internal i a"] },
  { id: "GS29", says: "an event time-out comes when nothing else does", trace: ["cast a", "eventTimeout e a"] },
  {
    id: "GS30",
    says: "a named time-out survives a change of state; setting it again replaces it",
    trace: ["cast a", "cast b", "timeout:n two c"],
  },
  {
    id: "GS31",
    says: "postponed events are retried in their order, before what is queued",
    trace: ["cast a", "cast a", "cast a", "cast b", "internal first b", "cast b", "internal second b", "cast queued b"],
  },
  {
    id: "GS32",
    says: "an event that is postponed with a change of state is retried at once",
    trace: ["cast a", "cast b", "cast queued b"],
  },
  { id: "GS33", says: "doNotPostpone takes a postpone before it back", trace: ["cast a"] },
  {
    id: "GS34",
    says: "a time-out can be postponed, and comes again as what it was",
    trace: ["cast a", "stateTimeout s a", "cast a", "stateTimeout s b"],
  },
  {
    id: "GS35",
    says: "a state time-out set with a change of state belongs to the new state",
    trace: ["cast a", "stateTimeout s b"],
  },
  { id: "GS36", says: "a change of state cancels the state time-out", trace: ["cast a", "cast a"] },
  {
    id: "GS37",
    says: "setting a zero time-out again moves it to the end",
    trace: ["cast a", "timeout:n g a", "stateTimeout two a"],
  },
  {
    id: "GS38",
    says: "a later time replaces a zero time-out that waits",
    trace: ["cast a", "cast queued a", "stateTimeout two a"],
  },
  {
    id: "GS39",
    says: "update gives a zero time-out that waits another content",
    trace: ["cast a", "stateTimeout two a"],
  },
  { id: "GS40", says: "a negative time is a bad action", trace: ["cast a", "terminate badActionFromStateFunction a"] },
  {
    id: "GS41",
    says: "an event time-out set with a change of state survives entering the state",
    trace: ["enter a a", "cast a", "enter a b", "eventTimeout e b"],
  },
];
