/**
 * Manager interface: the operations of the manager as endpoints, from which command line, HTTP routes, OpenAPI document and
 * typed clients are made. The types are those of manager.ts; that the schemas give exactly them is checked by the
 * compiler, here.
 *
 * Guarantees: every operation is in exactly one group and has effects and a line of help.
 * Not here: who answers (daemon/), the names alone (manager-routes.ts).
 *
 * @module
 */
import { nothing } from "../context/schema.ts";
import { defineInterface, endpoint, streamEndpoint, type EndpointsOf, type Interface } from "../context/interface.ts";
import type { ManagerGroup, OperationsOf } from "./manager-routes.ts";
import * as schema from "./manager-schema.ts";

/** Bytes of a plan as JSON: about four times what the largest system needs. */
export const planBytesMax = 4_194_304;

/** The system as a whole. */
export const systemInterface: Interface<EndpointsOf<OperationsOf<"system">>> = defineInterface("system", {
  list: endpoint({
    input: schema.aboutInput,
    output: schema.systemStatus,
    effects: ["read"],
    help: "Show the instances of services and their states",
    positional: "names",
  }),
  check: endpoint({
    input: schema.aboutInput,
    output: schema.operationReport,
    effects: ["read"],
    help: "Show who is not ready, or has failed as a job, and why",
    positional: "names",
  }),
  tree: endpoint({
    input: nothing,
    output: schema.treeNode,
    effects: ["read"],
    help: "Show services, instances and their OS processes as a tree",
  }),
  events: streamEndpoint({
    input: schema.aboutInput,
    output: schema.managerEvent,
    effects: ["read"],
    help: "Show what happens, from now on",
    positional: "names",
  }),
  down: endpoint({
    input: schema.downInput,
    output: schema.operationReport,
    effects: ["write", "kill"],
    help: "Stop all services in reverse order, then the daemon",
  }),
  handOver: endpoint({
    input: nothing,
    output: nothing,
    effects: ["write"],
    help: "End the daemon and touch no service, so that a new daemon takes over",
  }),
});

/** The plan that the system follows. */
export const planInterface: Interface<EndpointsOf<OperationsOf<"plan">>> = defineInterface("plan", {
  preview: endpoint({
    input: schema.planInput,
    output: schema.previewReport,
    effects: ["read"],
    help: "Show what applying a plan would change",
    inputBytesMax: planBytesMax,
  }),
  apply: endpoint({
    input: schema.applyInput,
    output: schema.applyReport,
    effects: ["write", "execute", "kill"],
    help: "Make the system what a plan says, and remove what it does not say",
    inputBytesMax: planBytesMax,
  }),
});

/** Services by name. */
export const servicesInterface: Interface<EndpointsOf<OperationsOf<"services">>> = defineInterface("services", {
  show: endpoint({
    input: schema.nameInput,
    output: schema.serviceDetail,
    effects: ["read"],
    help: "Show everything about one service",
    positional: "name",
  }),
  start: endpoint({
    input: schema.namesInput,
    output: schema.operationReport,
    effects: ["write", "execute"],
    help: "Start services and wait until they are ready",
    positional: "names",
  }),
  stop: endpoint({
    input: schema.namesInput,
    output: schema.operationReport,
    effects: ["write", "kill"],
    help: "Stop services and wait until they have ended",
    positional: "names",
  }),
  restart: endpoint({
    input: schema.namesInput,
    output: schema.operationReport,
    effects: ["write", "execute", "kill"],
    help: "Start services anew, one instance after the other, and wait until they are ready",
    positional: "names",
  }),
  reload: endpoint({
    input: schema.namesInput,
    output: schema.operationReport,
    effects: ["write", "execute", "kill"],
    help: "Start services anew; with listen, new instances are ready before old ones end",
    positional: "names",
  }),
  scale: endpoint({
    input: schema.scaleInput,
    output: schema.operationReport,
    effects: ["write", "execute", "kill"],
    help: "Change how many instances a service has",
    positional: "name",
  }),
  remove: endpoint({
    input: schema.namesInput,
    output: schema.operationReport,
    effects: ["write", "kill", "irreversible"],
    help: "Stop services and forget them; their logs stay",
    positional: "names",
  }),
  clearLogs: endpoint({
    input: schema.clearInput,
    output: schema.clearReport,
    effects: ["write", "irreversible"],
    help: "Empty what was recorded of services, also of those that are gone",
    positional: "names",
  }),
  kill: endpoint({
    input: schema.killInput,
    output: schema.operationReport,
    effects: ["kill"],
    help: "Send an OS signal to all OS processes of services",
    positional: "names",
  }),
  send: endpoint({
    input: schema.sendInput,
    output: nothing,
    effects: ["write"],
    help: "Write a line to the stdin of an instance",
    positional: "name",
  }),
  call: endpoint({
    input: schema.callInput,
    output: schema.callReport,
    effects: ["execute"],
    help: "Call the main process of a program of processes and show its reply",
    positional: "name",
  }),
  why: endpoint({
    input: schema.nameInput,
    output: schema.cause,
    effects: ["read"],
    help: "Show why a service is in its state",
    positional: "name",
  }),
});

/** All interfaces of the manager, by name. */
export const managerInterfaces: { readonly [G in ManagerGroup]: Interface<EndpointsOf<OperationsOf<G>>> } = {
  system: systemInterface,
  plan: planInterface,
  services: servicesInterface,
};
