/** What a server and a state machine hold that have gone on by themselves for long; writes bytes per step. */
import process from "node:process";
import {
  call,
  createSystem,
  goOn,
  keepState,
  nextEvent,
  nextState,
  replyTo,
  startServer,
  startStateMachine,
} from "colos";

const stepsCount = 100_000;
const { gc } = globalThis;
const self = createSystem().kernel.attach();

/** The heap at the last step, against the first one. */
function scale() {
  let firstBytes = 0;
  let lastBytes = 0;
  const used = () => {
    gc();
    return process.memoryUsage().heapUsed;
  };
  return {
    note: (left) => {
      if (left === stepsCount) firstBytes = used();
      if (left === 1) lastBytes = used();
    },
    perStep: () => (lastBytes - firstBytes) / stepsCount,
  };
}

const ofServer = scale();
const server = await startServer(self, () => ({
  init: () => goOn({ continueWith: stepsCount }),
  handleContinue: async (left) => {
    ofServer.note(left);
    return left > 1 ? goOn({ continueWith: left - 1 }) : undefined;
  },
  handleCall: () => ofServer.perStep(),
}));

const ofMachine = scale();
const machine = await startStateMachine(self, () => ({
  init: () => nextState("on", nextEvent({ type: "internal", content: stepsCount })),
  on: async (event) => {
    if (event.type === "call") return keepState(replyTo(event.from, ofMachine.perStep()));
    ofMachine.note(event.content);
    return event.content > 1 ? keepState(nextEvent({ type: "internal", content: event.content - 1 })) : keepState();
  },
}));

const bytesPerStep = [await call(self, server, "bytes", Infinity), await call(self, machine, "bytes", Infinity)];
console.log(JSON.stringify({ bytesPerStep }));
