/**
 * Pressure: helpers that take CPU time or memory beside whoever runs, for a time.
 *
 * Guarantees: a guard ends them, also when its starter is killed. They are bounded by themselves too, for a guard that is killed:
 * CPU helpers end after as much CPU time as the limit, memory helpers after the limit. Memory is taken by who is the OS kernel's first choice
 * when it has to end somebody.
 * Limits: a helper is a shell's loop, not a benchmark; on a machine with a full swap more than memory is slow.
 *
 * @module
 */
import { availableParallelism, freemem } from "node:os";
import type { Milliseconds } from "../../base/platform.ts";
import { Guard } from "../guard.ts";
import type { Strike } from "../injector.ts";

/** Endless loops at a time, at most. */
export const burnersMax = 64;
/** Bytes that a memory helper takes at most. */
export const memoryBytesMax: number = 1024 ** 3;
/** What share of the free memory it takes. */
const memoryShare = 0.25;

/** Takes the CPU time of all cores that colos may use. */
export function takeCpu(limitMs: Milliseconds): Promise<Strike> {
  const count = Math.min(burnersMax, availableParallelism());
  return Guard.start({
    does: `helpers=; n=0
      while test $n -lt "$1"; do
        (ulimit -t "$2"; exec sh -c 'while :; do :; done' colos-chaos-cpu) </dev/null >/dev/null 2>&1 &
        helpers="$helpers $!"; n=$((n+1))
      done`,
    undoes: `kill -KILL $helpers 2>/dev/null; wait $helpers 2>/dev/null; :`,
    args: [String(count), wholeSeconds(limitMs)],
    limitMs,
  });
}

/** How much a memory helper takes now, in bytes. */
export function memoryBytes(): number {
  return Math.floor(Math.min(memoryBytesMax, Math.min(freemem(), process.availableMemory()) * memoryShare));
}

/** Takes a part of the memory that is free. */
export function takeMemory(limitMs: Milliseconds, bytes: number = memoryBytes()): Promise<Strike> {
  // A pipe's end for whoever keeps the last bytes of what it reads: it keeps them until the writer ends.
  const keep = `{ head -c "$1" /dev/zero; exec sleep "$2"; } | tail -c "$1"`;
  return Guard.start({
    does: `(echo 1000 >/proc/self/oom_score_adj; exec setsid sh -c '${keep}' colos-chaos-memory "$1" "$2") </dev/null >/dev/null 2>&1 &
      helper=$!`,
    undoes: `kill -KILL "-$helper" 2>/dev/null || kill -KILL "$helper" 2>/dev/null; wait "$helper" 2>/dev/null; :`,
    args: [String(bytes), wholeSeconds(limitMs)],
    limitMs,
  });
}

function wholeSeconds(limitMs: Milliseconds): string {
  return String(Math.ceil(limitMs / 1000));
}
