/**
 * Reason sentences: what the tags of the toolbox's exit reasons mean, for people: what was wrong, where, and what to do.
 *
 * Reasons stay data, small enough to match on; the sentence is made when somebody wants to read one.
 * Not here: the reasons of the kernel and of carriers (exit-reason.ts).
 *
 * @module
 */

/** Characters of a value that a sentence shows. */
const shownCharactersMax = 200;

type Fields = Readonly<Record<string, unknown>>;
type Describe = (reason: unknown) => string;

/** By tag. */
const sentences: Readonly<Record<string, (reason: Fields, describe: Describe) => string>> = {
  alreadyRegistered: ({ pid }) => `the key belongs to ${pid}`,
  alreadyStarted: ({ pid }) => `it runs already, as ${pid}`,
  badActionFromStateFunction: ({ action }) =>
    `a state gave the action ${shown(action)}; actions are made by postpone, nextEvent, replyTo, stateTimeout, eventTimeout and timeout`,
  badCall: ({ request }) =>
    `it was asked ${shown(request)} and has no handleCall; write one, or ask for its methods through a stub`,
  badReturnFromInit: ({ value }) =>
    `init gave ${shown(value)}; of a state machine it gives nextState(…), of a supervisor { flags, children }, or stop(…) or ignore`,
  badReturnFromStateFunction: ({ value }) =>
    `a state returned ${shown(value)}; it returns nothing, or what nextState, keepState, repeatState, stop or reply makes`,
  badReturnValue: ({ value }) =>
    `a callback gave ${shown(value)}; of a server it gives nothing, or what goOn, reply, stop and their like make, the start of a child a pid`,
  badStateEnterActionFromStateFunction: ({ action }) =>
    `a state gave the action ${shown(action)} when it was entered; then it can neither postpone nor insert an event`,
  badStateEnterReturnFromStateFunction: ({ value }) =>
    `a state returned ${shown(value)} when it was entered; then it stays or stops the machine`,
  eventsFull: ({ eventsMax }) => `more than ${eventsMax} events wait in it (eventsMax)`,
  failedToStartChild: ({ id, reason }, describe) => `the child ${id} did not start: ${describe(reason)}`,
  ignore: () => "its init returned ignore",
  mailboxFull: ({ messagesMax, bytesMax }) =>
    `its mailbox is full (${messagesMax === undefined ? `${bytesMax} bytes` : `${messagesMax} messages`})`,
  noCall: () => "currentCall() is for methods that are called, not cast, and before their first await",
  noOwner: () => "nobody asked the task for its value",
  registryFull: ({ entriesMax }) => `the registry holds ${entriesMax} registrations and no more (entriesMax)`,
  startSpec: startSpecSentence,
  supervisorFlags: ({ problem, value }) => `${flagSentences[String(problem)] ?? problem}, not ${shown(value)}`,
  tooManyWait: ({ waitersMax }) => `${waitersMax} requests wait for the key already`,
  unknownRequest: ({ request }) => `it does not know the request ${shown(request)}`,
  undefinedState: ({ state }) => `it is in the state ${shown(state)}, for which it has no method`,
};

/** What each flag of a supervisor can be, by the problem that names it. */
const flagSentences: Fields = {
  invalidStrategy: "the flag strategy is oneForOne, oneForAll, restForOne, simpleOneForOne or dynamic",
  invalidAutoShutdown: "the flag autoShutdown is never, anySignificant or allSignificant",
  invalidMaxRestarts: "the flag maxRestarts is a number from 0",
  invalidPeriodMs: "the flag periodMs is a number above 0",
  invalidBackoff: "the flag backoff has initialMs, maxMs, factor from 1, jitter from 0 to 1, and resetAfterMs",
  invalidMaxChildren: "the flag maxChildren is a number from 0, for simpleOneForOne and dynamic",
  invalidExtraArguments: "the flag extraArguments is a list, for dynamic",
  invalidFlags: "the flags of a supervisor are an object",
  invalidObserve: "the flag observe is a function",
  unknownFlag:
    "the flags are strategy, maxRestarts, periodMs, backoff, autoShutdown, maxChildren, extraArguments and observe",
};

/** The same for one child's spec. */
const specSentences: Readonly<Record<string, (value: unknown, reason: Fields) => string>> = {
  missingId: () => "a child's id is a text that is not empty",
  missingStart: (id) => `the child ${shown(id)} has no start; child(id, program) makes one`,
  invalidRestart: (value) => `a child's restart is permanent, transient or temporary, not ${shown(value)}`,
  invalidType: (value) => `a child's type is worker or supervisor, not ${shown(value)}`,
  invalidShutdown: (value) => `a child's shutdown is milliseconds, brutal or infinity, not ${shown(value)}`,
  invalidSignificant: (value) => `a child's significant is true or false, not ${shown(value)}`,
  badCombination: (value) =>
    `a significant child is not permanent, and its supervisor has autoShutdown: ${shown(value)}`,
  duplicateChildName: (_, { id }) => `two children have the id ${shown(id)}`,
  simpleOneForOneNeedsOneChild: (_, { count }) =>
    `a simpleOneForOne supervisor has the spec of one child, not ${count}`,
  dynamicBeginsWithoutChildren: (_, { count }) => `a dynamic supervisor begins without children, not with ${count}`,
  argumentsNotAList: (value) =>
    `a simpleOneForOne supervisor is given a list of arguments for its child, not ${shown(value)}`,
};

function startSpecSentence(reason: Fields): string {
  return specSentences[String(reason["problem"])]?.(reason["value"], reason) ?? String(reason["problem"]);
}

/** @internal A sentence about a tagged reason; undefined when it is none of these. */
export function sentenceOf(reason: unknown, describe: Describe): string | undefined {
  const tag: unknown = (reason as { readonly tag?: unknown } | null | undefined)?.tag;
  if (typeof tag !== "string" || !Object.hasOwn(sentences, tag)) return undefined;
  return sentences[tag]?.(reason as Fields, describe);
}

/** @internal Any value in short: errors and big numbers included, which JSON leaves out or refuses. */
export function shown(value: unknown, charactersMax: number = shownCharactersMax): string {
  if (typeof value === "function") return value.name === "" ? "a function" : `the function ${value.name}`;
  const isPlain = typeof value !== "bigint" && typeof value !== "symbol";
  const text = isPlain ? (JSON.stringify(value, plain) ?? String(value)) : String(value);
  return text.length > charactersMax ? `${text.slice(0, charactersMax)}…` : text;
}

function plain(_key: string, value: unknown): unknown {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return typeof value === "bigint" || typeof value === "symbol" ? String(value) : value;
}
