/**
 * Startup command: does what `colos startup` asks: shows, installs or takes away what makes the machine start colos.
 *
 * @module
 */
import { execFile } from "node:child_process";
import {
  findStartupSystem,
  removeStartup,
  startupPlan,
  startupText,
  writeStartup,
  type RunCommand,
  type StartupOptions,
  type StartupSystem,
} from "./startup.ts";

/** How long a command such as systemctl may take, in milliseconds. */
export const commandTimeoutMs = 60_000;

export interface StartupRequest extends Omit<StartupOptions, "system"> {
  readonly action: "show" | "write" | "remove";
  /** Default: what this machine has. */
  readonly system?: StartupSystem;
}

/** Settles with what a person is told. @throws StartupError */
export async function runStartup(request: StartupRequest, run: RunCommand = runCommand): Promise<string> {
  const plan = startupPlan({ ...request, system: request.system ?? findStartupSystem() });
  switch (request.action) {
    case "show":
      return startupText(plan);
    case "write":
      await writeStartup(plan, run);
      return `colos: ${plan.path} is installed; from the next boot on the machine starts colos\n`;
    case "remove":
      await removeStartup(plan, run);
      return `colos: ${plan.path} is taken away; what runs goes on\n`;
  }
}

/** Never rejects: a command that is not there has the exit code 127, as in a shell. */
const runCommand: RunCommand = ([file, ...args]) =>
  new Promise((resolve) => {
    execFile(file, args, { timeout: commandTimeoutMs }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 127;
      resolve({ code, output: `${stdout}${stderr}` || (error?.message ?? "") });
    });
  });
