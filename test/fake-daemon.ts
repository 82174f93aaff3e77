/**
 * Fake daemon: a manager made of a list of statuses, for src/cli. It does at once what it is asked, tells of it in events,
 * and remembers what it was asked.
 *
 * @module
 */
import { suggestionClause } from "../src/base/suggestion.ts";
import type { ServicePlan } from "../src/control/config.ts";
import {
  type AboutInput,
  type ApplyReport,
  type Cause,
  type ClearedLog,
  type ClearInput,
  type ClearReport,
  type InstanceProblem,
  type Manager,
  ManagerError,
  type ManagerEvent,
  type NamesInput,
  type OperationReport,
  type PlanChange,
  type PlanInput,
  type ServiceDetail,
  type SystemStatus,
  type TreeNode,
  type WaitOptions,
} from "../src/control/manager.ts";
import { parseSelector, selects } from "../src/control/selector.ts";
import type { InstanceState, InstanceStatus } from "../src/control/service.ts";

/** A service's plan: a command, ready when it runs, restarted for ever. */
export function servicePlan(name: string, rest: Partial<ServicePlan> = {}): ServicePlan {
  return {
    name,
    run: { kind: "command", command: ["serve", "--port", "80"] },
    carrier: "command",
    instances: 1,
    autostart: true,
    env: {},
    envFiles: [],
    secrets: {},
    cwd: "/srv",
    stdin: "null",
    restart: "permanent",
    successCodes: [0],
    stopSignal: "SIGTERM",
    shutdown: 5000,
    maxRestarts: 5,
    periodMs: 30_000,
    backoff: { initialMs: 100, maxMs: 15_000, factor: 2, jitter: 0.2, resetAfterMs: 30_000 },
    exhausted: { policy: "degraded", retryEveryMs: 60_000 },
    ready: { kind: "none" },
    dependsOn: [],
    drainMs: 30_000,
    limits: {},
    logs: { sizeBytes: 1, ageMs: 1, budgetBytes: 1 },
    ...rest,
  };
}

/** The same instance in another state, for no reason. */
function moved(status: InstanceStatus, state: InstanceState): InstanceStatus {
  const { reason, ...rest } = status;
  return reason === undefined ? { ...status, state } : { ...rest, state };
}

/** What was asked: the operation's name and its input. */
export type Asked = readonly [operation: string, input: unknown];

export class FakeDaemon implements Manager {
  statuses: readonly InstanceStatus[];
  /** The daemon's. */
  osPid = 99;
  readonly asked: Asked[] = [];
  /** What `preview` and `apply` say. */
  changes: readonly PlanChange[] = [];
  problems: readonly InstanceProblem[] = [];
  /** What `clearLogs` says. */
  logs: readonly ClearedLog[] = [];
  cause: Cause = { sentence: "web is ready", causes: [] };
  root: TreeNode = { kind: "system", name: "colos", text: "colos", children: [] };
  /** Called with each operation before it is done; what it throws is the answer, what it returns is waited for. */
  before: (operation: string) => void | Promise<void> = () => {};
  /** What colos itself is short of. */
  alarms: readonly string[] = [];
  #listeners = new Set<(event: ManagerEvent) => void>();

  constructor(...statuses: readonly InstanceStatus[]) {
    this.statuses = statuses;
  }

  async list(about: AboutInput = {}): Promise<SystemStatus> {
    await this.#ask("list", about);
    const instances = about.names === undefined ? this.statuses : this.#named(about.names);
    const daemon = {
      version: "1.2.3",
      api: 1,
      osPid: this.osPid,
      home: "/home/ada/.local/state/colos",
      startedAt: -60_000,
      startsCount: 1,
      memoryBytes: 45_000_000,
      node: "v20.19.0",
      abilities: [],
      alarms: this.alarms,
    };
    return { daemon, instances };
  }

  async check(about: AboutInput = {}): Promise<OperationReport> {
    await this.#ask("check", about);
    return { instances: about.names === undefined ? this.statuses : this.#named(about.names), problems: this.problems };
  }

  async show(input: { readonly name: string }): Promise<ServiceDetail> {
    await this.#ask("show", input);
    const instances = this.#named([input.name]).map((status) => ({
      ...status,
      runs: [{ id: `${status.service}.1.2`, startedAt: 1000, readyAt: 1120, osPid: 7 }],
      window: { restarts: 1, maxRestarts: 5, periodMs: 30_000 },
      logDirectory: "/h/services/web/1/log",
      directory: "/h/services/web/1",
    }));
    const plan = servicePlan(instances[0]!.service);
    return { plan, target: "up", instances, dependents: ["shop"], limits: [], alarms: this.alarms };
  }

  async preview(input: PlanInput): Promise<{ readonly changes: readonly PlanChange[] }> {
    await this.#ask("preview", input);
    return { changes: this.changes };
  }

  async apply(input: PlanInput & WaitOptions): Promise<ApplyReport> {
    await this.#ask("apply", input);
    const goal = input.wait === false ? "starting" : "ready";
    const changed = new Set(this.changes.filter(({ kind }) => kind !== "keep").map(({ service }) => service));
    for (const status of this.statuses) if (changed.has(status.service)) this.change(moved(status, goal));
    return { instances: this.statuses, problems: this.problems, changes: this.changes };
  }

  start(input: NamesInput): Promise<OperationReport> {
    return this.#operate("start", input, "ready");
  }

  stop(input: NamesInput): Promise<OperationReport> {
    return this.#operate("stop", input, "stopped");
  }

  restart(input: NamesInput): Promise<OperationReport> {
    return this.#operate("restart", input, "ready");
  }

  reload(input: NamesInput): Promise<OperationReport> {
    return this.#operate("reload", input, "ready");
  }

  async scale(input: { readonly name: string; readonly instances: number } & WaitOptions): Promise<OperationReport> {
    await this.#ask("scale", input);
    return { instances: this.#named([input.name]), problems: this.problems };
  }

  async remove(input: NamesInput): Promise<OperationReport> {
    const report = await this.#operate("remove", input, "stopped");
    const gone = new Set(report.instances.map(({ name }) => name));
    this.statuses = this.statuses.filter(({ name }) => !gone.has(name));
    return report;
  }

  async clearLogs(input: ClearInput): Promise<ClearReport> {
    await this.#ask("clearLogs", input);
    return { logs: this.logs, bytes: this.logs.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  async kill(input: { readonly names: readonly string[]; readonly signal: string }): Promise<OperationReport> {
    await this.#ask("kill", input);
    return { instances: this.#named(input.names), problems: this.problems };
  }

  async send(input: { readonly name: string; readonly text: string }): Promise<void> {
    await this.#ask("send", input);
    this.#named([input.name]);
  }

  async call(input: Parameters<Manager["call"]>[0]): ReturnType<Manager["call"]> {
    await this.#ask("call", input);
    this.#named([input.name]);
    return { reply: input.request };
  }

  async why(input: { readonly name: string }): Promise<Cause> {
    await this.#ask("why", input);
    this.#named([input.name]);
    return this.cause;
  }

  async tree(): Promise<TreeNode> {
    await this.#ask("tree", {});
    return this.root;
  }

  async *events(about: AboutInput = {}): AsyncGenerator<ManagerEvent> {
    const waiting: ManagerEvent[] = [];
    let wake = (): void => {};
    const listener = (event: ManagerEvent): void => {
      const { names } = about;
      if (names !== undefined && event.type === "state" && !names.some((name) => isMeant(name, event.status))) return;
      waiting.push(event);
      wake();
    };
    this.#listeners.add(listener);
    try {
      for (;;) {
        const event = waiting.shift();
        if (event !== undefined) yield event;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#listeners.delete(listener);
    }
  }

  down(input: WaitOptions): Promise<OperationReport> {
    return this.#operate("down", { ...input, names: ["all"] }, "stopped");
  }

  async handOver(): Promise<void> {
    await this.#ask("handOver", {});
  }

  /** Puts a status in the place of the one with the same name, and tells of it. */
  change(status: InstanceStatus): void {
    const before = this.statuses.find(({ name }) => name === status.name)?.state ?? "waiting";
    this.statuses = this.statuses.map((each) => (each.name === status.name ? status : each));
    this.emit({ type: "state", at: 0, status, before });
  }

  emit(event: ManagerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  async #operate(operation: string, input: NamesInput, goal: InstanceState): Promise<OperationReport> {
    await this.#ask(operation, input);
    for (const status of this.#named(input.names)) if (status.state !== goal) this.change(moved(status, goal));
    return { instances: this.#named(input.names), problems: this.problems };
  }

  async #ask(operation: string, input: unknown): Promise<void> {
    this.asked.push([operation, input]);
    await this.before(operation);
  }

  #named(names: readonly string[]): readonly InstanceStatus[] {
    return names.flatMap((name) => {
      const found = this.statuses.filter((each) => isMeant(name, each));
      if (found.length === 0 && name !== "all") {
        const clause = suggestionClause(name, new Set(this.statuses.map(({ service }) => service)));
        throw new ManagerError("unknown", `there is no service "${name}"${clause}`);
      }
      return found;
    });
  }
}

function isMeant(name: string, { service, instance, tags }: InstanceStatus): boolean {
  return selects(parseSelector(name)!, { service, number: instance, tags });
}
