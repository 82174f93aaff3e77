/**
 * Instance spec: how the supervisor of a service starts one of its instances.
 *
 * Guarantees: nothing starts once the system stops: a restart that was due then is left out, not failed.
 *
 * @module
 */
import { StartError } from "../../kernel/process.ts";
import { command, program } from "../../kernel/program.ts";
import { ignore } from "../../server/server.ts";
import type { ChildSpec } from "../../supervisor/child-spec.ts";
import type { Instance } from "./instance.ts";
import type { ListenSocket } from "../listen-socket.ts";

/** How long a program may take to load before its start counts as failed, in milliseconds. */
export const startTimeoutMs = 30_000;

/** What the start of an instance asks of the system around it, and tells it. */
export interface InstanceSurroundings {
  /** The service inherits stdout, stderr and, when it is an OS process of its own, stdin. */
  readonly passthrough: boolean;
  readonly socket: ListenSocket | undefined;
  isStopping(): boolean;
  nowMs(): number;
  /** There is an OS process, a thread or a coroutine now; the program may still be loading. */
  runs(instance: Instance): void;
}

/** The child spec of `instance`. */
export function instanceSpec(instance: Instance, around: InstanceSurroundings): ChildSpec {
  const { plan, name } = instance;
  const { run, carrier } = plan;
  const hasOsProcess = carrier === "command" || carrier === "os-process";
  const start: ChildSpec["start"] = (self) => {
    if (around.isStopping()) throw new StartError(ignore, `${name} is not started: the system stops`);
    instance.begin(around.nowMs());
    return self.start(run.kind === "command" ? command(...run.command) : program(run.file), {
      carrier,
      label: name,
      name,
      timeoutMs: startTimeoutMs,
      env: { COLOS_INSTANCE: String(instance.number), COLOS_SERVICE: plan.name, ...plan.env },
      ...(hasOsProcess ? { cwd: plan.cwd } : {}),
      output: around.passthrough ? "inherit" : (stream, data) => instance.write(stream, data),
      stdin: around.passthrough && hasOsProcess ? "inherit" : "pipe",
      ...(around.socket === undefined ? {} : { listenFds: [around.socket.fd] }),
      ...(run.kind === "program" ? { argv: run.args } : { stopSignal: plan.stopSignal }),
      onSpawn: (pid) => {
        instance.pid = pid;
        if (!hasOsProcess) around.runs(instance);
      },
      onOsPid: (osPid) => {
        instance.osPid = osPid;
        around.runs(instance);
      },
      onOsExit: (code, signal) => {
        instance.osExit = { code, signal };
      },
    });
  };
  return { id: name, start, restart: plan.restart, shutdown: plan.shutdown };
}
