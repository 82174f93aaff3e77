#!/usr/bin/env node
/**
 * The `colos` command: joins the command line to this OS process and to the system it starts.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CliHost, Output, StopSignal } from "./cli/host.ts";
import { runCli } from "./cli/main.ts";
import { daemonNodeOptions } from "./daemon/boot/node-options.ts";
import { nodeClock } from "./platforms/node/node-clock.ts";

// Whatever is not on the way of every verb is loaded when it is needed: `colos ps` is to cost little more than Node.js.
const stopSignals: readonly StopSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

type OutputEvent = "error" | "resize" | "drain";

/** A stream of this OS process as a face sees it: also while the system captures what others write there. */
function faceOutput(stream: NodeJS.WriteStream): Output {
  const write = stream.write.bind(stream) as (text: string) => boolean;
  return {
    get isTTY() {
      return stream.isTTY;
    },
    get columns() {
      return stream.columns;
    },
    get rows() {
      return stream.rows;
    },
    get writableLength() {
      return stream.writableLength;
    },
    write: (text) => write(text),
    on: (event: OutputEvent, listener: (error: Error) => void) => stream.on(event, listener),
    off: (event: OutputEvent, listener: (error: Error) => void) => stream.off(event, listener),
  };
}

const host: CliHost = {
  get version() {
    const file = join(dirname(fileURLToPath(import.meta.url)), "..", "package.json");
    return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
  },
  userId: process.getuid?.() ?? 0,
  get userFolder() {
    return homedir();
  },
  cwd: process.cwd(),
  env: process.env,
  stdout: faceOutput(process.stdout),
  stderr: faceOutput(process.stderr),
  get canAsk() {
    return process.stdin.isTTY === true;
  },
  clock: nodeClock,
  loadModule: async (file) => {
    process.setSourceMapsEnabled(true);
    const { loadModule } = await import("./platforms/node/program-bundle.ts");
    return loadModule(file, { colosUrl: new URL("./index.js", import.meta.url).href });
  },
  startSystem: async (plan, options) => {
    process.setSourceMapsEnabled(true);
    const { startForegroundSystem } = await import("./foreground-system.ts");
    return startForegroundSystem(plan, options);
  },
  connect: async (home, silent) => {
    const [{ managerClient }, { unixHttp }, { patientTransport }, { attentiveTransport }] = await Promise.all([
      import("./control/manager-client.ts"),
      import("./platforms/node/unix-http.ts"),
      import("./control/patient-transport.ts"),
      import("./control/silence.ts"),
    ]);
    // Without the folder there is no heart to be looked for.
    const isExpected = async (): Promise<boolean> =>
      existsSync(join(home, "heart")) && (await host.findHeart(home)) !== undefined;
    const tell = async (sinceAt: number): Promise<void> => {
      const { heartSettings } = await import("./daemon/boot/heart.ts");
      const silenceMaxMs = heartSettings.intervalMs * heartSettings.triesMax;
      silent?.({ sinceAt, isWatched: await isExpected(), silenceMaxMs });
    };
    const socket = unixHttp(join(home, "control.sock"));
    const heard =
      silent === undefined ? socket : attentiveTransport(socket, { clock: nodeClock, silent: (at) => void tell(at) });
    return managerClient(patientTransport(heard, { clock: nodeClock, isExpected }));
  },
  loggedServices: async (home) => {
    const { readdir } = await import("node:fs/promises");
    return readdir(join(home, "services")).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EACCES") return [];
      throw Object.assign(new Error(`${home} belongs to another user`), { code: "EACCES" });
    });
  },
  startContained: async (home) => {
    const [{ DaemonRefusedError, startDaemon }, { homeAt }, { daemonParts }, { nodePlatform }, { ManagerError }] =
      await Promise.all([
        import("./daemon/daemon.ts"),
        import("./daemon/home.ts"),
        import("./daemon-parts.ts"),
        import("./platforms/node/node-platform.ts"),
        import("./control/manager.ts"),
      ]);
    const parts = daemonParts(import.meta.url);
    return startDaemon({
      ...parts,
      home: homeAt(home),
      platform: nodePlatform(),
      version: host.version,
      isContained: true,
    }).catch((error: unknown) => {
      throw error instanceof DaemonRefusedError ? new ManagerError("refused", error.message) : error;
    });
  },
  watchEnd: async (home) => {
    const [{ awaitGone, homeProcesses }, { homeAt }] = await Promise.all([
      import("./daemon/home-processes.ts"),
      import("./daemon/home.ts"),
    ]);
    const processes = homeProcesses(homeAt(home));
    return () => awaitGone(processes);
  },
  runningCount: async (home) => {
    if (!existsSync(join(home, "runs"))) return 0;
    const [{ livingRunsCount }, { homeAt }] = await Promise.all([
      import("./daemon/home-processes.ts"),
      import("./daemon/home.ts"),
    ]);
    return livingRunsCount(homeAt(home));
  },
  findHeart: async (home) => {
    const [{ findHeart }, { homeAt }] = await Promise.all([
      import("./daemon/boot/heart.ts"),
      import("./daemon/home.ts"),
    ]);
    return findHeart(homeAt(home))?.osPid;
  },
  openChaos: async (home) => {
    const { openChaos } = await import("./chaos-system.ts");
    return openChaos(home);
  },
  async *readLogs(home, selection, query) {
    const [{ readLogs }, { homeAt }] = await Promise.all([
      import("./daemon/log/read-logs.ts"),
      import("./daemon/home.ts"),
    ]);
    yield* readLogs(homeAt(home), selection, query, { clock: nodeClock });
  },
  async *inputLines() {
    const { createInterface } = await import("node:readline");
    yield* createInterface({ input: process.stdin, terminal: false });
  },
  startDaemon: async (home, after, where = "there") => {
    const [{ launchByHeart, launchDaemon }, { homeAt }, { awaitEnd }, { isElsewhere }] = await Promise.all([
      import("./daemon/boot/launch.ts"),
      import("./daemon/home.ts"),
      import("./daemon/boot/take-over.ts"),
      import("./daemon/boot/heart.ts"),
    ]);
    if (after !== undefined) await awaitEnd(after);
    const isByHeart = after !== undefined && where === "there" && isElsewhere(homeAt(home));
    await (isByHeart ? launchByHeart : launchDaemon)(homeAt(home), [
      process.execPath,
      ...daemonNodeOptions,
      fileURLToPath(new URL("./daemon-entry.cjs", import.meta.url)),
      home,
    ]);
  },
  isDaemonElsewhere: async (osPid) => {
    const { findCgroup } = await import("./daemon/limits/cgroup.ts");
    return findCgroup(osPid) !== findCgroup("self");
  },
  checkHome: async (home) => {
    const [{ checkHome }, { homeAt }, { journalVersion }] = await Promise.all([
      import("./daemon/boot/take-over.ts"),
      import("./daemon/home.ts"),
      import("./daemon/daemon-journal.ts"),
    ]);
    await checkHome(homeAt(home), journalVersion);
  },
  startup: async ({ home, config, ...action }) => {
    const { runStartup } = await import("./daemon/boot/startup-command.ts");
    const words = (...rest: string[]): [string, ...string[]] => [
      process.execPath,
      fileURLToPath(import.meta.url),
      ...rest,
      "--home",
      home,
    ];
    return runStartup({
      ...action,
      home,
      cwd: config === "" ? "/" : dirname(config),
      up: words("up", "--unit", config),
      down: words("down"),
    });
  },
  onStopSignal: (listener) => {
    for (const signal of stopSignals) process.on(signal, listener);
    return () => {
      for (const signal of stopSignals) process.off(signal, listener);
    };
  },
  limitLastWrites: (timeoutMs) => {
    lastWritesMs = timeoutMs;
  },
  onExit: (listener) => {
    process.on("exit", listener);
    return () => process.off("exit", listener);
  },
};

/** How long the end waits for slow readers; undefined: as long as it takes. */
let lastWritesMs: number | undefined;

/** Settles when everything written so far was taken by the reader, or never will be. */
function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => void stream.write("", () => resolve()));
}

async function main(): Promise<void> {
  const exitCode = await runCli(process.argv.slice(2), host);
  // What ran in this heap, a config or a service on a coroutine, may have left a timer that would keep colos running.
  if (lastWritesMs !== undefined) setTimeout(() => process.exit(exitCode), lastWritesMs);
  await Promise.all([drained(process.stdout), drained(process.stderr)]);
  process.exit(exitCode);
}

void main();
