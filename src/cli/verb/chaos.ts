/**
 * `colos chaos`: strikes a running system with faults for a time, undoes them, and tells how it came back.
 *
 * Guarantees: nothing is struck before the plan was shown and somebody agreed: a person on a terminal, or `--yes`. Ctrl+C undoes
 * everything at once; when colos is killed, guards do. The exit code says whether the system is whole.
 *
 * @module
 */
import { resolve } from "node:path";
import { suggestionClause } from "../../base/suggestion.ts";
import { abortDefault, parseAbortConditions, type AbortCondition } from "../../control/abort-condition.ts";
import {
  chaosFaults,
  chaosLimits,
  faultsThatNeedStart,
  type ChaosEvent,
  type ChaosFaultName,
  type ChaosReport,
  type ChaosRequest,
  type PreparedChaos,
} from "../../control/chaos.ts";
import { ManagerError } from "../../control/manager.ts";
import { type Call, managerVerb } from "../call.ts";
import { abilityLines, eventLine, planLines, reportLines } from "../chaos-text.ts";
import { isConfirmed } from "../confirm.ts";
import { durationOption } from "../duration.ts";
import { exitCodes, signalExitCode } from "../exit-codes.ts";
import type { StopSignal } from "../host.ts";
import type { Verb } from "../verb.ts";
import { quoted, type Words } from "../words.ts";

type ChaosInput =
  | { readonly action: "list" }
  | {
      readonly action: "strike";
      readonly request: ChaosRequest;
      readonly isDryRun: boolean;
      readonly isAgreed: boolean;
    };

export const chaos: Verb = managerVerb<ChaosInput>({
  notes: [
    "Each strike hits all that is named; with any, one of it at random, of all services when nothing else is named.",
    "daemon, recorder, heart and shim are what colos consists of; they are struck only when they are named.",
    "A victim is struck when it is ready. Everything is undone in the end, also after Ctrl+C and kill -9.",
    'Abort conditions, joined by or: failed, degraded, not-ready > 10s, restarts > 20, no-daemon > 30s, probe <url> fails > 5s; "web not-ready" is about web alone.',
  ],
  options: {
    list: { help: "show which faults work on this machine, and what the others need" },
    fault: {
      value: "<fault,…>",
      values: Object.keys(chaosFaults),
      help: "what strikes; of several one at random each time",
      short: "f",
    },
    rate: { value: "<number>/min", help: `strikes per minute (or /s); default ${chaosLimits.perMinuteDefault}/min` },
    for: { value: "<time>", help: "how long it strikes; default 1m, at most 1h" },
    hold: { value: "<time>", help: "how long a fault that lasts stays in force; default 5s" },
    settle: { value: "<time>", help: "how long the system has afterwards to come back; default 1m" },
    "abort-when": { value: "<condition>", help: 'when to end at once; default "failed or degraded"' },
    path: { value: "<path>", help: "the file or folder that faults of files are about" },
    seed: { value: "<number>", help: "the same faults at the same times again" },
    "dry-run": { help: "show the plan, and do nothing" },
    yes: { help: "do not ask", short: "y" },
  },
  read,
  run: async (input, call) => (input.action === "list" ? list(call) : strike(input, call)),
});

async function list(call: Call): Promise<number> {
  const abilities = await (await call.host.openChaos(call.home)).abilities();
  if (call.isJson) call.json({ faults: abilities });
  else call.print(abilityLines(abilities, call.columns));
  return exitCodes.ok;
}

async function strike(
  { request, isDryRun, isAgreed }: Extract<ChaosInput, { action: "strike" }>,
  call: Call,
): Promise<number> {
  // Told as everywhere when no daemon is there.
  await (await call.connect()).list();
  const path = request.path === undefined ? {} : { path: resolve(call.host.cwd, request.path) };
  const prepared = await (await call.host.openChaos(call.home)).prepare({ ...request, ...path });
  if ("refused" in prepared) {
    const { code, message, advice } = prepared.refused;
    throw new ManagerError(code, message, advice);
  }
  if (isDryRun) {
    if (call.isJson) call.json({ plan: prepared.plan });
    else call.print(planLines(prepared.plan));
    return exitCodes.ok;
  }
  if (call.isTalking) call.print(planLines(prepared.plan));
  if (!isAgreed && !(await isConfirmed({ what: "chaos begins", question: "Strike" }, call))) return exitCodes.refused;
  const { report, signal } = await carryOut(prepared, call);
  if (call.isJson) call.json(report);
  else call.print(reportLines(report));
  return exitCodeOf(report, signal);
}

/** Runs to the end; Ctrl+C ends it sooner. */
async function carryOut(
  prepared: PreparedChaos,
  call: Call,
): Promise<{ readonly report: ChaosReport; readonly signal: StopSignal | undefined }> {
  const tell = (event: ChaosEvent): void => {
    if (call.isTalking) call.print([eventLine(event)]);
  };
  const run = prepared.run(tell);
  let signal: StopSignal | undefined;
  const undo = call.host.onStopSignal((received) => {
    signal ??= received;
    run.interrupt();
  });
  try {
    return { report: await run.ended, signal };
  } finally {
    undo();
  }
}

function exitCodeOf({ end, isUndone, isWhole }: ChaosReport, signal: StopSignal | undefined): number {
  if (end === "aborted") return exitCodes.aborted;
  if (signal !== undefined) return signalExitCode(signal);
  return isUndone && isWhole ? exitCodes.ok : exitCodes.failed;
}

/** Asks; whatever is not yes is no. */
function read(words: Words): ChaosInput {
  if (words.has("list")) {
    words.none();
    return { action: "list" };
  }
  const selectors = [...new Set(words.rest)];
  if (selectors.length === 0)
    throw words.wrong(
      "say whom to strike: names of services or instances, patterns such as 'web*', tags such as @backend, all, or any",
    );
  if (selectors.includes("")) throw words.wrong("a name is empty");
  const seed = readSeed(words);
  const path = words.last("path");
  const request: ChaosRequest = {
    ...{ selectors, faults: readFaults(words), perMinute: readRate(words) },
    forMs: readTime(words, "for", chaosLimits.forMsDefault, chaosLimits.forMsMax),
    holdMs: readTime(words, "hold", chaosLimits.holdMsDefault, chaosLimits.forMsMax),
    settleMs: readTime(words, "settle", chaosLimits.settleMsDefault, chaosLimits.settleMsMax),
    abortWhen: readConditions(words),
    ...(seed === undefined ? {} : { seed }),
    ...(path === undefined ? {} : { path }),
  };
  return { action: "strike", request, isDryRun: words.has("dry-run"), isAgreed: words.has("yes") };
}

function readFaults(words: Words): readonly ChaosFaultName[] {
  const names = words.all("fault").flatMap((text) => text.split(","));
  if (names.length === 0) throw words.wrong("say what strikes: --fault kill-os-process; --list shows all faults");
  return names.map((name) => {
    if (Object.hasOwn(chaosFaults, name)) return name as ChaosFaultName;
    if (faultsThatNeedStart.includes(name)) {
      throw words.wrong(`--fault: ${name} strikes only what was started for it, not what runs already`);
    }
    const longer = Object.keys(chaosFaults).find((known) => known.startsWith(`${name}-`));
    const clause =
      longer === undefined ? suggestionClause(name, Object.keys(chaosFaults)) : `; did you mean "${longer}"?`;
    throw words.wrong(`--fault: ${quoted(name)} is not a fault${clause || "; --list shows all"}`);
  });
}

function readRate(words: Words): number {
  const text = words.last("rate");
  if (text === undefined) return chaosLimits.perMinuteDefault;
  const [, number, unit] = /^(\d{1,6}(?:\.\d{1,3})?)\/(s|min|m|h)$/.exec(text) ?? [];
  const per = { s: 60, min: 1, m: 1, h: 1 / 60 }[unit ?? ""];
  const perMinute = per === undefined ? 0 : Number(number) * per;
  if (perMinute > 0 && perMinute <= chaosLimits.perMinuteMax) return perMinute;
  throw words.wrong(
    `--rate: ${quoted(text)} is not a rate such as 6/min, 1/s or 10/h, of at most ${chaosLimits.perMinuteMax}/min`,
  );
}

function readTime(words: Words, option: string, defaultMs: number, maxMs: number): number {
  const milliseconds = durationOption(words, option) ?? defaultMs;
  if (milliseconds <= maxMs) return milliseconds;
  throw words.wrong(`--${option}: ${words.last(option)} is longer than 1h`);
}

function readSeed(words: Words): number | undefined {
  const text = words.last("seed");
  if (text === undefined) return undefined;
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (seed >= 1 && seed <= chaosLimits.seedMax) return seed;
  throw words.wrong(`--seed: ${quoted(text)} is not a whole number from 1 to ${chaosLimits.seedMax}`);
}

function readConditions(words: Words): readonly AbortCondition[] {
  const texts = words.all("abort-when");
  if (texts.length === 0) return abortDefault;
  const parsed = parseAbortConditions(texts.join(" or "));
  if ("problem" in parsed) throw words.wrong(`--abort-when: ${parsed.problem}`);
  return parsed;
}
