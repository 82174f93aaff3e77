/**
 * A manager without services: it answers what it is told to, and notes what it was asked.
 */
import type {
  AboutInput,
  ApplyReport,
  ClearInput,
  ClearReport,
  InstanceProblem,
  Manager,
  ManagerEvent,
  OperationReport,
  ServiceDetail,
  SystemStatus,
} from "../src/control/manager.ts";
import { ManagerError } from "../src/control/manager.ts";
import type { InstanceStatus } from "../src/control/service.ts";
import { parseConfig } from "../src/control/config-parser.ts";
import type { ServicePlan, SystemPlan } from "../src/control/config.ts";

/** A plan of one service, as the parser makes it. */
export function planOf(services: Readonly<Record<string, unknown>>): SystemPlan {
  const result = parseConfig({ services }, { source: "test", directory: "/", resolve: (at, path) => `${at}/${path}` });
  if ("problems" in result) throw new Error(result.problems.map(({ message }) => message).join("\n"));
  return result.plan;
}

/** The instance web, ready. */
export const webStatus: InstanceStatus = {
  name: "web",
  service: "web",
  instance: 1,
  carrier: "command",
  state: "ready",
  osPid: 4711,
  uptimeMs: 1000,
  restartsCount: 0,
};

/** A status with that many instances. */
export function statusOf(instances: readonly InstanceStatus[] = [webStatus]): SystemStatus {
  const daemon = {
    version: "0.1.0",
    api: 1,
    osPid: 4710,
    home: "/home",
    startedAt: 1,
    startsCount: 1,
    memoryBytes: 1,
    node: "v20",
    abilities: [],
  };
  return { daemon, instances };
}

const webPlan = (): ServicePlan => planOf({ web: { command: ["sleep", "60"] } }).services[0]!;

/** Every operation succeeds with the service web; any other name is unknown. */
export class FakeManager implements Manager {
  /** What was asked, in order. */
  readonly asked: (readonly [keyof Manager, unknown])[] = [];
  readonly #listeners = new Set<(event: ManagerEvent | undefined) => void>();
  status: SystemStatus = statusOf();
  /** What a check finds. */
  problems: readonly InstanceProblem[] = [];

  /** How many listen to events. */
  get listenersCount(): number {
    return this.#listeners.size;
  }

  /** Tells everybody who listens. */
  emit(event: ManagerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Ends every stream of events. */
  endEvents(): void {
    for (const listener of this.#listeners) listener(undefined);
  }

  async list(input?: AboutInput): Promise<SystemStatus> {
    return this.#note("list", input, this.#about(input));
  }
  async check(input?: AboutInput): Promise<OperationReport> {
    const { instances } = this.#about(input);
    return this.#note("check", input, { instances, problems: this.problems });
  }
  async show(input: { readonly name: string }): Promise<ServiceDetail> {
    if (input.name !== "web")
      throw new ManagerError("unknown", `there is no service ${input.name}`, "Look at colos ps.");
    const instance = {
      ...webStatus,
      runs: [],
      window: { restarts: 0, maxRestarts: 5, periodMs: 30_000 },
      logDirectory: "/home/services/web/1/log",
      directory: "/home/services/web/1",
    };
    return this.#note("show", input, {
      plan: webPlan(),
      target: "up",
      instances: [instance],
      dependents: [],
      limits: [],
    });
  }
  async preview(input: Parameters<Manager["preview"]>[0]): ReturnType<Manager["preview"]> {
    return this.#note("preview", input, { changes: [] });
  }
  async apply(input: Parameters<Manager["apply"]>[0]): Promise<ApplyReport> {
    return this.#note("apply", input, { ...this.#report(), changes: [] });
  }
  async start(input: Parameters<Manager["start"]>[0]): Promise<OperationReport> {
    return this.#note("start", input, this.#report());
  }
  async stop(input: Parameters<Manager["stop"]>[0]): Promise<OperationReport> {
    return this.#note("stop", input, this.#report());
  }
  async restart(input: Parameters<Manager["restart"]>[0]): Promise<OperationReport> {
    return this.#note("restart", input, this.#report());
  }
  async reload(input: Parameters<Manager["reload"]>[0]): Promise<OperationReport> {
    return this.#note("reload", input, this.#report());
  }
  async scale(input: Parameters<Manager["scale"]>[0]): Promise<OperationReport> {
    return this.#note("scale", input, this.#report());
  }
  async remove(input: Parameters<Manager["remove"]>[0]): Promise<OperationReport> {
    return this.#note("remove", input, this.#report());
  }
  async clearLogs(input: ClearInput): Promise<ClearReport> {
    return this.#note("clearLogs", input, { logs: [{ name: "web", service: "web", instance: 1, bytes: 7 }], bytes: 7 });
  }
  async kill(input: Parameters<Manager["kill"]>[0]): Promise<OperationReport> {
    return this.#note("kill", input, this.#report());
  }
  async send(input: Parameters<Manager["send"]>[0]): Promise<void> {
    this.#note("send", input, undefined);
  }
  async call(input: Parameters<Manager["call"]>[0]): ReturnType<Manager["call"]> {
    return this.#note("call", input, { reply: input.request });
  }
  async why(input: Parameters<Manager["why"]>[0]): ReturnType<Manager["why"]> {
    const causes = [{ sentence: "it ended with exit code 1", causes: [], at: 7 }];
    return this.#note("why", input, { sentence: "web is in backoff", causes });
  }
  async tree(): ReturnType<Manager["tree"]> {
    const child = { kind: "service" as const, name: "web", text: "ready", children: [] };
    return this.#note("tree", undefined, { kind: "system", name: "/home", text: "", children: [child] });
  }
  events(_input?: AboutInput): AsyncIterable<ManagerEvent> {
    const waiting: (ManagerEvent | undefined)[] = [];
    let awake = (): void => {};
    const listener = (event: ManagerEvent | undefined): void => {
      waiting.push(event);
      awake();
    };
    this.#listeners.add(listener);
    const leave = (): void => void this.#listeners.delete(listener);
    return {
      [Symbol.asyncIterator]: () => ({
        async next(): Promise<IteratorResult<ManagerEvent>> {
          while (waiting.length === 0) await new Promise<void>((resolve) => (awake = resolve));
          const value = waiting.shift();
          if (value !== undefined) return { value, done: false };
          leave();
          return { value: undefined, done: true };
        },
        async return(): Promise<IteratorResult<ManagerEvent>> {
          leave();
          return { value: undefined, done: true };
        },
      }),
    };
  }
  async down(input: Parameters<Manager["down"]>[0]): Promise<OperationReport> {
    return this.#note("down", input, this.#report());
  }
  async handOver(): Promise<void> {
    this.#note("handOver", undefined, undefined);
  }

  /** Those that are named as they are called; a pattern or a tag means all. */
  #about({ names }: AboutInput = {}): SystemStatus {
    const isSet = names === undefined || names.some((name) => /[*?@]|^all$/.test(name));
    const instances = this.status.instances.filter(
      ({ name, service }) => isSet || names.includes(name) || names.includes(service),
    );
    return { ...this.status, instances };
  }

  #report(): OperationReport {
    return { instances: this.status.instances, problems: [] };
  }

  #note<T>(operation: keyof Manager, input: unknown, answer: T): T {
    this.asked.push([operation, input]);
    return answer;
  }
}
