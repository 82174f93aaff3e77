/**
 * colos as a system under measurement: its own home below a temporary folder, its plain defaults.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pause, run, until } from "./figures.mjs";
import { commandLineOf, descendantsOf, isAlive, Place } from "./place.mjs";

const binary = join(import.meta.dirname, "../../dist/bin.cjs");
/** Where a web server says that it is ready. */
const readyFd = 9;
/** How long standbys have to load what they import, in milliseconds. */
const standbyLoadMs = 2_000;

export class ColosSystem {
  name = "colos";
  place = new Place();
  #home = join(this.place.folder, "home");
  #env = { ...process.env, HOME: this.place.folder, COLOS_HOME: this.#home };

  /** A system without services is one whose only service is not started. */
  start(services) {
    const idle = [{ name: "idle", command: ["true"], autostart: false }];
    const all = services.length === 0 ? idle : services;
    return this.startConfig(Object.fromEntries(all.map((each) => [each.name, configOf(each)])));
  }

  /** `services` as a config has them. */
  async startConfig(services) {
    const file = join(this.place.folder, "colos.config.json");
    writeFileSync(file, JSON.stringify({ services }));
    const done = await run(this.words(["up", file]), { env: this.#env, cwd: this.place.folder });
    if (done.code !== 0) throw new Error(`colos up ends with ${done.code}: ${done.stderr}${done.stdout}`);
    return done;
  }

  command(words) {
    return run(this.words(words), { env: this.#env, cwd: this.place.folder });
  }

  words([verb, ...words]) {
    return [process.execPath, binary, verb, "--home", this.#home, ...words];
  }

  env() {
    return this.#env;
  }

  listWords = { people: ["ps"], json: ["ps", "--json"] };

  async list() {
    const { code, stdout, stderr } = await this.command(["ps", "--json"]);
    if (code !== 0) throw new Error(`colos ps --json ends with ${code}: ${stderr}`);
    const { instances } = JSON.parse(stdout);
    return instances.map(({ name, state, osPid, restartsCount }) => ({
      name,
      state,
      isReady: state === "ready",
      osPid,
      restarts: restartsCount,
    }));
  }

  /** Settles when so many services have a standby, which has had time to load what it needs. */
  async standsBy(count) {
    await until(`${count} standbys`, async () => {
      const { instances } = JSON.parse((await this.command(["ps", "--json"])).stdout);
      return instances.filter(({ standbyOsPid }) => standbyOsPid !== undefined).length >= count;
    });
    await pause(standbyLoadMs);
  }

  reload(name) {
    return this.command(["reload", name]);
  }

  daemonPid() {
    const pid = Number(readFileSync(join(this.#home, "daemon"), "utf8").split("\n", 1)[0]);
    return isAlive(pid) ? pid : undefined;
  }

  /** What runs to manage: everything that is not one of these services or below one. */
  managerPids(servicePids) {
    const ofServices = new Set([...servicePids, ...descendantsOf(servicePids)]);
    return this.place.processes().filter((pid) => !ofServices.has(pid));
  }

  roleOf(pid) {
    if (pid === this.daemonPid()) return "daemon";
    const line = commandLineOf(pid);
    return /recorder/.test(line)
      ? "recorder"
      : /heart/.test(line)
        ? "heart"
        : /(^|\/)sh\b/.test(line)
          ? "shim"
          : "other";
  }

  logFiles(name) {
    const folder = join(this.#home, "services", name, "1", "log");
    if (!existsSync(folder)) return [];
    return readdirSync(folder).map((file) => join(folder, file));
  }

  end() {
    return this.place.end();
  }
}

function configOf({ command, instances, port, cwd, autostart, restartsAtOnce = false, standby = false, logsBytes }) {
  const [, file, ...args] = command;
  return {
    // A command would have to wait for its turn by itself.
    ...(standby ? { program: file, args, standby } : { command }),
    ...(instances === undefined ? {} : { instances }),
    ...(instances > 1 && port !== undefined ? { listen: port, listenHost: "127.0.0.1" } : {}),
    ...(port === undefined ? {} : { ready: { fd: readyFd }, env: { READY_FD: String(readyFd) } }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(autostart === undefined ? {} : { autostart }),
    ...(restartsAtOnce ? { backoff: { initialMs: 0, maxMs: 0 } } : {}),
    ...(logsBytes === undefined ? {} : { logs: { budgetBytes: logsBytes } }),
  };
}
