/**
 * One process per customer. A session that crashes is restarted with an empty basket; nobody else notices.
 */
import {
  call,
  defineServer,
  startChild,
  startServer,
  startSupervisor,
  type AnyPid,
  type AnyProcess,
  type ChildSpec,
  type Server,
  type SupervisorEvent,
} from "colos";
import type { Basket, SessionRequest, SessionsCount, SessionsRequest } from "./messages.ts";

const customersCount = 10_000;

class Session implements Server<SessionRequest> {
  readonly #customer: number;
  readonly #items: { item: string; price: number }[] = [];

  constructor(customer: number) {
    this.#customer = customer;
  }

  handleCall(request: SessionRequest): Basket {
    if (request.type === "crash") throw new Error(`customer ${this.#customer} asked for something impossible`);
    if (request.type === "add") this.#items.push({ item: request.item, price: request.price });
    const total = this.#items.reduce((sum, { price }) => sum + price, 0);
    return { customer: this.#customer, items: [...this.#items], total };
  }
}

/** Knows every customer's process, also after a restart. */
class Sessions implements Server<SessionsRequest> {
  readonly #self: AnyProcess;
  readonly #pids = new Map<number, AnyPid>();
  #restarts = 0;

  constructor(self: AnyProcess) {
    this.#self = self;
  }

  async init(): Promise<void> {
    const session: ChildSpec = {
      id: "session",
      start: async (self, customer) => {
        const pid = await startServer(self, () => new Session(customer as number), { label: `session ${customer}` });
        this.#pids.set(customer as number, pid);
        return pid;
      },
    };
    const observe = (event: SupervisorEvent): void => {
      if (event.type === "restarting") this.#restarts += 1;
    };
    const flags = { strategy: "simpleOneForOne", maxRestarts: 100, periodMs: 1000, observe } as const;
    const supervisor = await startSupervisor(this.#self, { flags, children: [session] });
    for (let customer = 1; customer <= customersCount; customer += 1) {
      await startChild(this.#self, supervisor, [customer]);
    }
    console.log(`${customersCount} sessions are open`);
  }

  handleCall(request: SessionsRequest): AnyPid | SessionsCount | undefined {
    if (request.type === "find") return this.#pids.get(request.customer);
    return { running: this.#pids.size, restarts: this.#restarts };
  }
}

export default defineServer((self) => new Sessions(self));

/** The process of a customer's session, wherever the caller runs. */
export async function findSession(self: AnyProcess, customer: number): Promise<AnyPid | undefined> {
  return (await call(self, "sessions", { type: "find", customer } satisfies SessionsRequest)) as AnyPid | undefined;
}
