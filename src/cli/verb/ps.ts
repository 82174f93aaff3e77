/**
 * `colos ps`: services and how they are; with --check, whether they are as they should be. Starts nothing.
 *
 * @module
 */
import type { AboutInput, DaemonStatus, SystemStatus } from "../../control/manager.ts";
import { type Call, managerVerb } from "../call.ts";
import { styled } from "../colour.ts";
import { exitCodes } from "../exit-codes.ts";
import { bytesText, uptimeText } from "../figures.ts";
import { namesNote, readAbout } from "../names.ts";
import { tellReport } from "../operation-report.ts";
import { instanceTable } from "../table.ts";
import { plainText } from "../text.ts";
import type { Verb } from "../verb.ts";
import type { Words } from "../words.ts";

interface PsInput {
  readonly about: AboutInput;
  readonly shows: "instances" | "tags";
  readonly isCheck: boolean;
}

export const ps: Verb = managerVerb<PsInput>({
  notes: [
    "Without [name…], of all services.",
    namesNote,
    "With --quiet, only the names of the instances, a line each; with --check nothing but who is not ready, and why.",
    "What is stopped is not ready, whoever stopped it; what has done its work is well, and so is a job whose last run did not fail.",
  ],
  options: {
    check: { help: `end with exit code ${exitCodes.failed} when one of them is not ready or, as a job, has failed` },
    tags: { help: "show the tags, and whose they are" },
  },
  read,
  run: async ({ about, shows, isCheck }, call) => {
    const manager = await call.connect();
    if (isCheck && !call.isTalking) return tellReport(await manager.check(about), call);
    const status = await manager.list(about);
    if (shows === "tags") tellTags(status, call);
    else if (call.isJson) call.json(status);
    else if (call.isQuiet) call.print(status.instances.map(({ name }) => name));
    else tellStatus(status, call);
    return isCheck ? tellReport(await manager.check(about), call) : exitCodes.ok;
  },
});

function read(words: Words): PsInput {
  const [isCheck, isTags] = [words.has("check"), words.has("tags")];
  if (isCheck && isTags) throw words.wrong("--check and --tags are two questions; ask one of them");
  return { about: readAbout(words), shows: isTags ? "tags" : "instances", isCheck };
}

function tellStatus({ daemon, instances }: SystemStatus, call: Call): void {
  const { heading, blocks } = instanceTable(instances, call.columns, call.colour);
  const rows = instances.length === 0 ? ["no services; colos up adds those of a config"] : [heading, ...blocks.flat()];
  const daemonLine = daemonText(daemon, call.host.clock.wallMs());
  const alarms = (daemon.alarms ?? []).map((each) => styled("yellow", plainText(`! ${each}`), call.colour));
  call.print([...rows, "", styled("dim", daemonLine, call.colour), ...alarms]);
}

function tellTags({ instances }: SystemStatus, call: Call): void {
  const tags = new Map<string, Set<string>>();
  for (const { service, tags: own = [] } of instances)
    for (const tag of own) tags.set(tag, (tags.get(tag) ?? new Set()).add(service));
  const sorted = [...tags].toSorted(([one], [other]) => (one < other ? -1 : 1));
  if (call.isJson) return call.json({ tags: Object.fromEntries(sorted.map(([tag, of]) => [tag, [...of]])) });
  const width = Math.max(0, ...sorted.map(([tag]) => tag.length));
  const lines = sorted.map(([tag, of]) => (call.isQuiet ? `@${tag}` : `@${tag.padEnd(width)}  ${[...of].join(", ")}`));
  return call.print(lines.length === 0 && call.isTalking ? ["no service has a tag"] : lines);
}

/** The daemon in one line, for people. */
function daemonText(
  { version, osPid, home, startedAt, startsCount, memoryBytes }: DaemonStatus,
  nowMs: number,
): string {
  const starts = startsCount > 1 ? `, start ${startsCount}` : "";
  const age = uptimeText(Math.max(0, nowMs - startedAt));
  return plainText(`daemon ${version} in ${home}: pid ${osPid}, up ${age}${starts}, ${bytesText(memoryBytes)}`);
}
