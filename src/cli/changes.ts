/**
 * Changes: the difference between what runs and what a config says, as lines like those of a diff.
 *
 * `+ web` is added, `- web` removed, `~ web` changed, each with what that does to running instances; below it the parts of
 * the plan that differ.
 *
 * @module
 */
import type { FieldChange, PlanChange } from "../control/manager.ts";
import { styled, type Style } from "./colour.ts";
import { plainText } from "./text.ts";

/** Lines for people; what stays as it is has none. */
export function changeLines(changes: readonly PlanChange[], colour: boolean): readonly string[] {
  return changes.flatMap((change) => {
    const { mark, style } = marks[change.kind];
    if (change.kind === "keep") return [];
    const head = styled(style, `${mark} ${change.service}`, colour);
    const fields = change.kind === "change" ? change.fields.map((field) => `    ${fieldText(field)}`) : [];
    return [`${head}: ${effects[change.effect]}`, ...fields];
  });
}

/** Whether anything is different. */
export function hasChanges(changes: readonly PlanChange[]): boolean {
  return changes.some(({ kind }) => kind !== "keep");
}

const marks: Readonly<Record<PlanChange["kind"], { readonly mark: string; readonly style: Style }>> = {
  add: { mark: "+", style: "green" },
  change: { mark: "~", style: "yellow" },
  remove: { mark: "-", style: "red" },
  keep: { mark: " ", style: "dim" },
};

const effects: Readonly<Record<PlanChange["effect"], string>> = {
  start: "starts",
  restart: "restarts",
  scale: "starts or stops instances, the others go on",
  stop: "stops",
  note: "goes on, the change counts from the next start",
  none: "does not start now",
};

/** What the config calls a part of the plan. */
function configPath(path: string): string {
  return path
    .replace(/^run\.(?=command|args)/, "")
    .replace(/^run\.file/, "program")
    .replace(/^listenPort/, "listen");
}

/** A check of the kind `none` is none. */
function valueText(text: string | undefined): string {
  return text === undefined || text === '{"kind":"none"}' ? "(not set)" : text;
}

function fieldText({ path, from, to }: FieldChange): string {
  return plainText(`${configPath(path)}: ${valueText(from)} → ${valueText(to)}`);
}
