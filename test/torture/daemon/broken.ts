/**
 * Broken daemons: defects that the campaign has to find, as data beside the code that each would break, and a built package with one
 * of them.
 *
 * @module
 */
import { build, type Plugin } from "esbuild";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { mutated, type Mutant } from "../../mutants/mutant.ts";

/** A defect, and which check finds it; where two may, it depends on who comes first. */
export interface BrokenDaemon extends Mutant {
  readonly check: RegExp;
  /** Within so many kills it is found; default 20. */
  readonly kills?: number;
}

export const brokenDaemons: readonly BrokenDaemon[] = [
  {
    id: "answered before it is written",
    file: "src/daemon/host/run-host.ts",
    find: "        await this.#writer.append(entries);\n        this.#core?.commit(entries);",
    replace:
      "        this.#core?.commit(entries);\n        setTimeout(() => void this.#writer.append(entries).catch(() => {}), 50);",
    breaks: "An operation that was answered is forgotten when the daemon is killed right after it.",
    check: /what was acknowledged holds/,
  },
  {
    id: "exit status not read",
    file: "src/daemon/run/run-recovery.ts",
    find: "return end ?? files.readExit(home, id) ?? follower.lost(lostShim);",
    replace: "return follower.lost(lostShim);",
    breaks: "The exit code of what ends while no daemon lives is lost.",
    check: /no exit code is lost/,
  },
  {
    id: "adopts nothing",
    file: "src/daemon/host/run-host.ts",
    find: "core.recover(found);",
    replace: "core.recover([]);",
    breaks: "A new daemon starts again what runs already.",
    check: /no run begins twice/,
  },
  {
    id: "lines dropped",
    file: "src/daemon/log/run-recorder.ts",
    find: 'await write(copy, bytes.length, "keep");',
    replace: 'if (bytes.length % 5 !== 0) await write(copy, bytes.length, "keep");',
    breaks: "Now and then something that a service wrote is not in its log.",
    check: /each line is in the log once/,
  },
  {
    id: "ports not kept",
    file: "src/daemon/daemon-services.ts",
    find: "    live.manager = manager;\n",
    replace: "    live.manager = manager;\n    releaseAllSockets(live.runs);\n",
    breaks:
      "A new daemon closes the ports that the one before has opened, so that no newer instance gets to accept on them.",
    check: /everything is as it is wanted|no client of a service notices/,
  },
  {
    id: "environment of the first config",
    file: "src/daemon/core/fold-asked.ts",
    find: "record.env = entry.env;",
    replace: 'if (record.env["PATH"] === undefined) record.env = entry.env;',
    breaks: "A config that is applied again leaves services the variables of the first time.",
    check: /the environment and the secrets of what was applied/,
  },
  {
    id: "times not written down",
    file: "src/daemon/core/job-times.ts",
    find: 'situation.keep({ type: "fired", at: situation.host.now(), service: service.plan.name, dueAt, how });',
    replace: 'situation.take({ type: "fired", at: situation.host.now(), service: service.plan.name, dueAt, how });',
    breaks: "A job runs for its time again when a new daemon begins.",
    check: /each time of a job has one run/,
  },
  {
    id: "liveness not resumed",
    file: "src/daemon/core/recovery.ts",
    find: "else if (plan.live !== undefined) host.watchOver(live, plan, instance);",
    replace: "",
    breaks: "What runs when a daemon dies is never looked at again.",
    check: /what fails its liveness check is started again/,
  },
  {
    id: "readiness not read",
    file: "src/daemon/host/run-host.ts",
    find: 'for (const run of found) if (run.state === "running" && run.isReady) this.#checks.ready(run.id);',
    replace: "",
    breaks: "What says that it is ready while no daemon lives is waited for in vain.",
    check: /a readiness counts|what fails its liveness check is started again/,
    kills: 40,
  },
  {
    id: "dependencies of adopted runs forgotten",
    file: "src/daemon/core/recovery.ts",
    find: "    key,\n    dependencies,\n    startedAt,\n",
    replace: "    key,\n    dependencies: {},\n    startedAt,\n",
    breaks: "What is to be started again with its dependency is not, when a daemon has died since it began.",
    check: /the end of a dependency does what its policy says/,
  },
  {
    id: "files looked at when a daemon begins",
    file: "src/daemon/core/renewal.ts",
    find: "  if (watched === seen) return;",
    replace: "  if (watched !== undefined) return;",
    breaks: "A file that changes while no daemon lives has its service started again when it changes the next time.",
    check: /a file that has changed has its service started again/,
  },
];

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** Builds the package with the defect into a folder, as far as the daemon needs it. Gives where it is. */
export async function buildBroken(broken: BrokenDaemon, folder: string): Promise<URL> {
  const outdir = join(folder, "dist");
  copyFileSync(join(root, "package.json"), join(folder, "package.json"));
  const common = {
    outdir,
    bundle: true,
    platform: "node",
    target: "node20",
    logLevel: "error",
    plugins: [planting(broken)],
  } as const;
  const sourcesOf = (...names: string[]): string[] => names.map((name) => join(root, "src", `${name}.ts`));
  await build({
    ...common,
    plugins: [...common.plugins],
    entryPoints: sourcesOf("daemon-entry", "recorder-entry"),
    format: "cjs",
    outExtension: { ".js": ".cjs" },
    define: { "import.meta.url": "thisFile" },
    banner: { js: 'const thisFile = require("node:url").pathToFileURL(__filename).href;' },
  });
  await build({ ...common, plugins: [], entryPoints: sourcesOf("listen-entry"), format: "esm" });
  return pathToFileURL(`${outdir}/`);
}

function planting(broken: BrokenDaemon): Plugin {
  return {
    name: "broken",
    setup: ({ onLoad }) =>
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        if (path !== join(root, broken.file)) return undefined;
        return { contents: mutated(broken, readFileSync(path, "utf8")), loader: "ts" };
      }),
  };
}
