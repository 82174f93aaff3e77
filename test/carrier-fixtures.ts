/**
 * Carrier fixtures: the programs that the carrier contract runs, as files for the carriers with a kernel and as
 * executables for commands.
 *
 * @module
 */
import process from "node:process";
import { command, isTagged, program, type AnyPid, type HostOptions } from "colos";
import { burstCount, type CarrierFixtures, type Launch } from "colos/testing";

const innerCount = 2;

type Loss = Pick<ReturnType<CarrierFixtures["loss"]>, "strike" | "isReason">;

/** Programs of `test/programs/` for a carrier that runs files. */
export function fileFixtures(loss: Loss): CarrierFixtures {
  return {
    echo: (listener) => launchFile("echo", listener),
    burst: (listener) => launchFile("burst", listener, burstCount),
    busyLoop: (listener) => launchFile("busy-loop", listener),
    endNormally: () => launchFile("end"),
    endWithReason: () => {
      const reason = { tag: "given", detail: [1, "two", null] };
      return { ...launchFile("end", reason), reason };
    },
    crash: () => ({
      ...launchFile("end", "crash"),
      isReason: (reason) => reason instanceof RangeError && reason.message === "one too many",
    }),
    absent: () => ({ ...launchFile("absent"), sentence: /absent\.ts does not exist/ }),
    loss: (listener) => ({
      ...launchFile("family", listener, innerCount),
      innerCount,
      ...loss,
    }),
  };
}

/** The program takes its carrier down with `process.exit`. */
export const lossFromInside: Loss = {
  strike: ({ kernel, pid }) => kernel.send(pid, "end the carrier"),
  isReason: (reason) => isTagged(reason, "exitStatus") && reason["code"] === 7,
};

/** SIGKILL for the OS process that the carrier told of. */
export const lossFromOutside: Loss = {
  strike: ({ osPid }) => {
    if (osPid === undefined) throw new Error("the carrier did not say which OS process it has");
    process.kill(osPid, "SIGKILL");
  },
  isReason: (reason) => isTagged(reason, "signal") && reason["name"] === "SIGKILL",
};

/** Executables that behave as those programs do. */
export const commandFixtures: CarrierFixtures = {
  echo: (listener) => launchCommand({ output: listener }, "cat"),
  burst: (listener) => launchCommand({ output: listener }, "seq", "0", String(burstCount - 1)),
  busyLoop: (listener) => launchShell({ output: listener }, "echo busy; while :; do :; done"),
  endNormally: () => launchCommand({}, "true"),
  endWithReason: () => ({ ...launchShell({}, "exit 3"), reason: { tag: "exitStatus", code: 3 } }),
  crash: () => ({
    ...launchShell({}, "kill -ABRT $$"),
    isReason: (reason) => isTagged(reason, "signal") && reason["name"] === "SIGABRT",
  }),
  absent: () => ({ ...launchCommand({}, "redis-servr"), sentence: /redis-servr was not found on PATH/ }),
  loss: (listener) => ({
    ...launchShell({ output: listener }, "echo ready; exec cat"),
    innerCount: 0,
    ...lossFromOutside,
  }),
};

function launchFile(name: string, ...args: readonly unknown[]): Launch {
  return { program: program(`./programs/${name}.ts`, import.meta.url), options: { args } };
}

function launchCommand(options: HostOptions & { output?: AnyPid }, file: string, ...args: readonly string[]): Launch {
  return { program: command(file, ...args), options };
}

function launchShell(options: HostOptions & { output?: AnyPid }, script: string): Launch {
  return launchCommand(options, "sh", "-c", script);
}
