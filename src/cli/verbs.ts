/**
 * Verbs: all that `colos` does, one entry each: what it is called, how it is used, one line of help, and where it stands.
 *
 * Guarantees: a verb's file is loaded when the verb is used, or its help is read, and not before: `colos ps` is as fast as
 * what it needs. To add a verb is to add an entry here and a file in verb/. The help of a verb that is an operation of the
 * manager is that of the endpoint; a test holds both to the same words, since the endpoints' schemas are too much to load.
 *
 * @module
 */
import type { Manager } from "../control/manager.ts";
import type { Verb } from "./verb.ts";

/** What is known of a verb before it is loaded. */
export interface VerbEntry {
  readonly usage: string;
  /** One line of help, without a full stop. */
  readonly summary: string;
  /** The operation of the manager that it is. */
  readonly operation?: keyof Manager;
  /** What stands where words are completed: names of services, files, or nothing. */
  readonly completes: "names" | "files" | "nothing";
  load(): Promise<Verb>;
}

/** By name, in the order of the help. */
export const verbs: Readonly<Record<string, VerbEntry>> = {
  up: {
    usage: "colos up [options] [config]",
    summary: "Make the system what a config says; start a daemon when there is none",
    completes: "files",
    load: async () => (await import("./verb/up.ts")).up,
  },
  down: {
    usage: "colos down [options]",
    summary: "Stop all services in reverse order, then the daemon",
    operation: "down",
    completes: "nothing",
    load: async () => (await import("./verb/down.ts")).down,
  },
  ps: {
    usage: "colos ps [options] [name…]",
    summary: "Show the instances of services and their states",
    operation: "list",
    completes: "names",
    load: async () => (await import("./verb/ps.ts")).ps,
  },
  start: {
    usage: "colos start [options] <name…|all>",
    summary: "Start services and wait until they are ready",
    operation: "start",
    completes: "names",
    load: async () => (await import("./verb/operations.ts")).start,
  },
  stop: {
    usage: "colos stop [options] <name…|all>",
    summary: "Stop services and wait until they have ended",
    operation: "stop",
    completes: "names",
    load: async () => (await import("./verb/operations.ts")).stop,
  },
  restart: {
    usage: "colos restart [options] <name…|all>",
    summary: "Start services anew, one instance after the other, and wait until they are ready",
    operation: "restart",
    completes: "names",
    load: async () => (await import("./verb/operations.ts")).restart,
  },
  reload: {
    usage: "colos reload [options] <name…|all>",
    summary: "Start services anew; with listen, new instances are ready before old ones end",
    operation: "reload",
    completes: "names",
    load: async () => (await import("./verb/operations.ts")).reload,
  },
  scale: {
    usage: "colos scale [options] <name> <instances>",
    summary: "Change how many instances a service has",
    operation: "scale",
    completes: "names",
    load: async () => (await import("./verb/scale.ts")).scale,
  },
  remove: {
    usage: "colos remove [options] <name…|all>",
    summary: "Stop services and forget them; their logs stay",
    operation: "remove",
    completes: "names",
    load: async () => (await import("./verb/remove.ts")).remove,
  },
  plan: {
    usage: "colos plan [options] [config]",
    summary: "Show what applying a plan would change",
    operation: "preview",
    completes: "files",
    load: async () => (await import("./verb/plan.ts")).plan,
  },
  show: {
    usage: "colos show [options] <name>",
    summary: "Show everything about one service",
    operation: "show",
    completes: "names",
    load: async () => (await import("./verb/show.ts")).show,
  },
  update: {
    usage: "colos update [options]",
    summary: "Put a daemon of this version in the place of the one that runs",
    completes: "nothing",
    load: async () => (await import("./verb/update.ts")).update,
  },
  startup: {
    usage: "colos startup [options] [config]",
    summary: "Show or install what makes the machine start colos when it boots",
    completes: "files",
    load: async () => (await import("./verb/startup.ts")).startup,
  },
  why: {
    usage: "colos why [options] <name>",
    summary: "Show why a service is in its state",
    operation: "why",
    completes: "names",
    load: async () => (await import("./verb/why.ts")).why,
  },
  tree: {
    usage: "colos tree [options]",
    summary: "Show services, instances and their OS processes as a tree",
    operation: "tree",
    completes: "nothing",
    load: async () => (await import("./verb/tree.ts")).tree,
  },
  logs: {
    usage: "colos logs [options] [name…]",
    summary: "Show what services wrote; -f goes on with what they write",
    completes: "names",
    load: async () => (await import("./verb/logs.ts")).logs,
  },
  attach: {
    usage: "colos attach [options] <name>",
    summary: "Speak with a service: its output here, what is typed to its stdin",
    completes: "names",
    load: async () => (await import("./verb/attach.ts")).attach,
  },
  send: {
    usage: "colos send [options] <name> <text>",
    summary: "Write a line to the stdin of an instance",
    operation: "send",
    completes: "names",
    load: async () => (await import("./verb/send.ts")).send,
  },
  call: {
    usage: "colos call [options] <name> <request>",
    summary: "Call the main process of a program of processes and show its reply",
    operation: "call",
    completes: "names",
    load: async () => (await import("./verb/call.ts")).call,
  },
  kill: {
    usage: "colos kill [options] <name…> [signal]",
    summary: "Send an OS signal to all OS processes of services",
    operation: "kill",
    completes: "names",
    load: async () => (await import("./verb/kill.ts")).kill,
  },
  events: {
    usage: "colos events [options] [name…]",
    summary: "Show what happens, from now on",
    operation: "events",
    completes: "names",
    load: async () => (await import("./verb/events.ts")).events,
  },
  heart: {
    usage: "colos heart [options]",
    summary: "Show whether somebody watches over the daemon",
    completes: "nothing",
    load: async () => (await import("./verb/heart.ts")).heart,
  },
  chaos: {
    usage: "colos chaos [options] <name…|any|all|daemon|recorder|heart|shim|home>",
    summary: "Strike a running system with faults, undo them, and tell how it came back",
    completes: "names",
    load: async () => (await import("./verb/chaos.ts")).chaos,
  },
  run: {
    usage: "colos run [options] <file.ts|file.js|command> [args…]",
    summary: "Run one program or command in the foreground, supervised",
    completes: "files",
    load: async () => (await import("./verb/run.ts")).run,
  },
  init: {
    usage: "colos init [options]",
    summary: "Write a config for this folder, from what is there",
    completes: "nothing",
    load: async () => (await import("./verb/import.ts")).init,
  },
  import: {
    usage: "colos import [options] <file>",
    summary: "Turn the file of another process manager into a config",
    completes: "files",
    load: async () => (await import("./verb/import.ts")).importVerb,
  },
  completion: {
    usage: "colos completion <bash|zsh|fish>",
    summary: "Print a script that completes the words of colos in a shell",
    completes: "nothing",
    load: async () => (await import("./verb/completion.ts")).completion,
  },
};
