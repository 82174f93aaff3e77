/**
 * PM2 as a system under measurement: its own home below a temporary folder, its plain defaults. It is a download for this
 * benchmark alone; nothing of colos depends on it.
 *
 * A system has `start(services)`, `command(words)`, `list()`, `reload(name)`, `daemonPid()`, `managerPids(servicePids)`,
 * `logFiles(name)` and `end()`. A service is `{ name, command }` and what it needs: `port` (a web server that
 * says when it is ready), `instances` (which share the port), `autostart`, `restartsAtOnce`, `logsBytes`,
 * `standby` (colos alone, which says by `standsBy(count)` when they are there).
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./figures.mjs";
import { descendantsOf, isAlive, Place } from "./place.mjs";

const binary = join(import.meta.dirname, "node_modules/pm2/bin/pm2");

/** Installs it when it is needed. Gives its version. */
export function preparePm2() {
  if (!existsSync(binary)) {
    const npm = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
      cwd: import.meta.dirname,
      encoding: "utf8",
    });
    if (npm.status !== 0) throw new Error(`npm ci in bench/pm2 ends with ${npm.status}: ${npm.stderr}`);
  }
  return JSON.parse(readFileSync(join(import.meta.dirname, "node_modules/pm2/package.json"), "utf8")).version;
}

export class Pm2System {
  name = "pm2";
  place = new Place();
  #home = join(this.place.folder, "pm2");
  #env = { ...process.env, PM2_HOME: this.#home, HOME: this.place.folder };

  /** Starts these services, and the daemon if there is none. Gives the command's own time. */
  async start(services) {
    if (services.length === 0) return this.command(["ping"]);
    const file = join(this.place.folder, "ecosystem.config.json");
    writeFileSync(file, JSON.stringify({ apps: services.map(appOf) }));
    const done = await this.command(["start", file]);
    if (done.code !== 0) throw new Error(`pm2 start ends with ${done.code}: ${done.stderr}`);
    return done;
  }

  command(words) {
    return run(this.words(words), { env: this.#env, cwd: this.place.folder });
  }

  /** What is typed, as executable and arguments. */
  words(words) {
    return [process.execPath, binary, ...words];
  }

  env() {
    return this.#env;
  }

  listWords = { people: ["ls"], json: ["jlist"] };

  async list() {
    const { stdout } = await this.command(["jlist"]);
    const entries = JSON.parse(stdout.slice(stdout.lastIndexOf("\n[") + 1).trim() || "[]");
    return entries.map(({ name, pid, pm2_env }) => ({
      name,
      state: pm2_env.status,
      isReady: pm2_env.status === "online" && pid > 0,
      osPid: pid > 0 ? pid : undefined,
      restarts: pm2_env.restart_time,
    }));
  }

  reload(name) {
    return this.command(["reload", name]);
  }

  daemonPid() {
    const pid = Number(readFileSync(join(this.#home, "pm2.pid"), "utf8"));
    return isAlive(pid) ? pid : undefined;
  }

  /** What runs to manage: everything that is not one of these services or below one. */
  managerPids(servicePids) {
    const ofServices = new Set([...servicePids, ...descendantsOf(servicePids)]);
    return this.place.processes().filter((pid) => !ofServices.has(pid));
  }

  roleOf(pid) {
    return pid === this.daemonPid() ? "daemon" : "other";
  }

  logFiles(name) {
    const folder = join(this.#home, "logs");
    return readdirSync(folder)
      .filter((file) => file.startsWith(`${name}-out`))
      .map((file) => join(folder, file));
  }

  end() {
    return this.place.end();
  }
}

function appOf({ name, command, instances = 1, port, cwd }) {
  const [executable, ...args] = command;
  const isNode = executable === process.execPath;
  return {
    name,
    script: isNode ? args[0] : executable,
    args: isNode ? args.slice(1) : args,
    ...(isNode ? {} : { interpreter: "none" }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(instances > 1 && port !== undefined
      ? { exec_mode: "cluster", instances, wait_ready: true, kill_timeout: 5_000 }
      : {}),
  };
}
