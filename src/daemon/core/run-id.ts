/**
 * Run id: what a run is called, in the journal and in the home: `<service>.<instance>.<number>`.
 *
 * @module
 */
import type { RunId } from "../run/run.ts";

/** The parts of a run's id. @throws Error for what is no id */
export function runParts(id: RunId): { readonly service: string; readonly instance: number; readonly number: number } {
  const [, service, instance, number] = /^([^.]+)\.(\d+)\.(\d+)$/.exec(id) ?? [];
  if (service === undefined) throw new Error(`${id} is not the id of a run`);
  return { service, instance: Number(instance), number: Number(number) };
}

/** The id of a run. */
export function runId(service: string, instance: number, number: number): RunId {
  return `${service}.${instance}.${number}`;
}
