/**
 * Verbs: all that `colos` does, one entry each: what it is called, how it is used, one line of help, and where it stands.
 *
 * Guarantees: a verb's file is loaded when the verb is used, or its help is read, and not before: `colos ps` is as fast as
 * what it needs. To add a verb is to add an entry here and a file in verb/.
 *
 * @module
 */
import type { Verb } from "./verb.ts";

/** What is known of a verb before it is loaded. */
export interface VerbEntry {
  readonly usage: string;
  /** One line of help, without a full stop. */
  readonly summary: string;
  /** What stands where words are completed: names of services, files, or nothing. */
  readonly completes: "names" | "files" | "nothing";
  load(): Promise<Verb>;
}

/** By name, in the order of the help. */
export const verbs: Readonly<Record<string, VerbEntry>> = {
  up: {
    usage: "colos up [options] [config]",
    summary: "make the system what the config says; starts a daemon when there is none",
    completes: "files",
    load: async () => (await import("./verb/up.ts")).up,
  },
  down: {
    usage: "colos down [options]",
    summary: "stop everything in reverse order, then the daemon",
    completes: "nothing",
    load: async () => (await import("./verb/down.ts")).down,
  },
  ps: {
    usage: "colos ps [options]",
    summary: "show services and how they are",
    completes: "nothing",
    load: async () => (await import("./verb/ps.ts")).ps,
  },
  start: {
    usage: "colos start [options] <name…|all>",
    summary: "start services and wait until they are ready",
    completes: "names",
    load: async () => (await import("./verb/operations.ts")).start,
  },
  stop: {
    usage: "colos stop [options] <name…|all>",
    summary: "stop services and wait until they are gone",
    completes: "names",
    load: async () => (await import("./verb/operations.ts")).stop,
  },
  restart: {
    usage: "colos restart [options] <name…|all>",
    summary: "stop services and start them again",
    completes: "names",
    load: async () => (await import("./verb/operations.ts")).restart,
  },
  show: {
    usage: "colos show [options] <name>",
    summary: "show all about one service",
    completes: "names",
    load: async () => (await import("./verb/show.ts")).show,
  },
  update: {
    usage: "colos update [options]",
    summary: "put a daemon of this version in the place of the one that runs",
    completes: "nothing",
    load: async () => (await import("./verb/update.ts")).update,
  },
  startup: {
    usage: "colos startup [options] [config]",
    summary: "show or install what makes the machine start colos when it boots",
    completes: "files",
    load: async () => (await import("./verb/startup.ts")).startup,
  },
  run: {
    usage: "colos run [options] <file.ts|file.js|command> [args…]",
    summary: "run one program or command in the foreground, supervised",
    completes: "files",
    load: async () => (await import("./verb/run.ts")).run,
  },
};
