/**
 * Program process: runs a program of processes as the main process of an OS process of its own.
 *
 * Guarantees: the main process is asked to end with `shutdown` at the first SIGTERM, SIGINT or SIGHUP, and a supervisor ends its
 * children in order then; more OS signals change nothing. The exit code is 0 after an orderly end, otherwise 1, with the reason on
 * stderr, and where an error was thrown. Whoever owns the call socket can call the main process and list the processes.
 * Limits: of several calls at a time each waits for its own reply; `connectionsMax` of line-socket.ts at once.
 *
 * @module
 */
import { writeSync } from "node:fs";
import type { Server } from "node:net";
import process from "node:process";
import { listedMax, type ListedProcesses, type ProgramAnswer, type ProgramQuestion } from "./control/program-call.ts";
import { describeReason, isOrderly } from "./kernel/exit-reason.ts";
import type { Kernel } from "./kernel/kernel.ts";
import { isDown, type DownMessage } from "./kernel/message.ts";
import type { AnyPid } from "./kernel/pid.ts";
import type { AnyProcess } from "./kernel/process.ts";
import { acknowledgingBody, type DefinedProgram } from "./kernel/program.ts";
import { createSystem } from "./node-system.ts";
import { serveLines } from "./platforms/node/line-socket.ts";

/** How long answers may take to get out when the main process has ended, in milliseconds. */
export const lastAnswersMs = 200;

/** Runs `defined` until its main process ends, and then ends the OS process. `callSocket`: where it is asked from outside. */
export async function runProgramProcess(
  defined: DefinedProgram<unknown, readonly unknown[]>,
  callSocket: string | undefined,
): Promise<never> {
  const { kernel } = createSystem();
  const self = kernel.attach();
  // Servers and supervisors end in order at the exit of who started them linked, and of nobody else.
  self.trapExit(true);
  const pid = self.spawnLink(acknowledgingBody(defined), { label: "main" });
  const ref = self.monitor(pid);
  let isAsked = false;
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(name, () => {
      if (!isAsked) self.exit(pid, "shutdown");
      isAsked = true;
    });
  }
  // Processes that only wait for messages do not keep Node alive.
  setInterval(() => {}, 2 ** 31 - 1);
  const server = await serve(callSocket, (question) => answer(kernel, self, pid, question as ProgramQuestion));
  const { reason } = await self.receive((message: unknown): message is DownMessage => isDown(message, ref));
  if (server !== undefined) await closed(server);
  if (isOrderly(reason)) process.exit(0);
  writeSync(2, `${reasonText(reason)}\n`);
  process.exit(1);
}

async function serve(
  path: string | undefined,
  answerTo: (question: unknown) => Promise<unknown>,
): Promise<Server | undefined> {
  if (path === undefined) return undefined;
  try {
    return await serveLines(path, answerTo);
  } catch {
    return undefined; // nobody can ask then: as another user, it may not write there
  }
}

/** Whoever called hears what became of it. */
function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    setTimeout(resolve, lastAnswersMs);
  });
}

function reasonText(reason: unknown): string {
  return reason instanceof Error && reason.stack !== undefined ? reason.stack : describeReason(reason);
}

async function answer(
  kernel: Kernel,
  root: AnyProcess,
  main: AnyPid,
  question: ProgramQuestion,
): Promise<ProgramAnswer> {
  switch (question.ask) {
    case "call":
      return callMain(kernel, main, question.request, question.timeoutMs);
    case "processes":
      return { reply: listOf(kernel, root) };
    default:
      return { error: "the program is of another version of colos; restart it" };
  }
}

/** In a process of its own, so that calls do not wait for each other. */
function callMain(kernel: Kernel, main: AnyPid, request: unknown, timeoutMs: number): Promise<ProgramAnswer> {
  return new Promise((resolve) => {
    const caller = async (self: AnyProcess): Promise<void> => {
      try {
        resolve(asJson(await self.request(main, request, timeoutMs)));
      } catch (error) {
        resolve({ error: describeReason((error as { reason?: unknown }).reason ?? error) });
      }
    };
    kernel.spawn(caller, { label: callerLabel });
  });
}

const callerLabel = "call from outside";

function asJson(reply: unknown): ProgramAnswer {
  try {
    return { reply: JSON.parse(JSON.stringify(reply) ?? "null") as unknown };
  } catch (error) {
    return { error: `the reply is no JSON: ${describeReason(error)}` };
  }
}

function listOf(kernel: Kernel, root: AnyProcess): ListedProcesses {
  const pids = kernel.processes().filter((pid) => pid !== root.pid);
  const processes = pids.slice(-listedMax).toReversed();
  return {
    processesCount: pids.length,
    processes: processes.flatMap((pid) => {
      const info = kernel.info(pid);
      if (info === undefined || info.label === callerLabel) return [];
      const { name, label, status, messagesCount } = info;
      return [{ name: name ?? label ?? String(pid), status, messagesCount }];
    }),
  };
}
