/**
 * One process per customer. A session that crashes is restarted with an empty basket; nobody else notices.
 */
import {
  countChildren,
  defineServer,
  startChild,
  startServer,
  startSupervisor,
  type AnyPid,
  type AnyProcess,
  type ChildSpec,
  type Server,
  type SupervisorFlags,
} from "colos";
import {
  sessionName,
  type Basket,
  type Item,
  type SessionRequest,
  type SessionsRequest,
  type SessionsStatus,
} from "./messages.ts";

const customersCount = 10_000;

/** One customer's session. Its state is its object. */
class Session implements Server<SessionRequest> {
  readonly #customer: number;
  readonly #items: Item[] = [];

  constructor(customer: number) {
    this.#customer = customer;
  }

  handleCall(request: SessionRequest): Basket {
    if (request.type === "crash") throw new Error(`customer ${this.#customer} asked for something impossible`);
    if (request.type === "add") this.#items.push(request.item);
    const total = this.#items.reduce((sum, { price }) => sum + price, 0);
    return { customer: this.#customer, items: [...this.#items], total };
  }
}

/** How a session is started, first and after each crash. */
const session: ChildSpec = {
  id: "session",
  start: (supervisor, customer) => {
    const name = sessionName(customer as number);
    return startServer(supervisor, () => new Session(customer as number), { name });
  },
};

/** Opens the sessions, and knows how they are. */
class Sessions implements Server<SessionsRequest> {
  readonly #self: AnyProcess;
  #supervisor: AnyPid | undefined;
  #restarts = 0;

  constructor(self: AnyProcess) {
    this.#self = self;
  }

  async init(): Promise<void> {
    const flags: SupervisorFlags = {
      strategy: "simpleOneForOne", // many children of one kind, each on its own
      maxRestarts: 100,
      periodMs: 1000,
      observe: (event) => {
        if (event.type === "restarting") this.#restarts += 1;
      },
    };
    const supervisor = await startSupervisor(this.#self, { flags, children: [session] });
    for (let customer = 1; customer <= customersCount; customer += 1) {
      await startChild(this.#self, supervisor, [customer]);
    }
    this.#supervisor = supervisor;
    console.log(`${customersCount} sessions are open`);
  }

  async handleCall(): Promise<SessionsStatus> {
    const { active } = await countChildren(this.#self, this.#supervisor!);
    return { running: active, restarts: this.#restarts };
  }
}

export default defineServer((self) => new Sessions(self));
