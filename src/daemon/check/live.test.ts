/** Liveness: looks that the test answers, on a clock that the test turns; then real ones. */
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { expect, describe, onTestFinished, test } from "vitest";
import type { Clock } from "../../base/platform.ts";
import type { LivePlan, ProbePlan } from "../../control/config.ts";
import { nodePlatform } from "../../platforms/node/node-platform.ts";
import { startLive } from "./live.ts";
import type { probeOnce } from "./probe.ts";
import { ProbeError } from "./probe.ts";

const subject = { env: { PATH: process.env["PATH"] }, cwd: tmpdir() };
const everyMs = 1000;
const plan: LivePlan = {
  probe: { kind: "port", port: 80, host: "127.0.0.1", timeoutMs: 50 },
  everyMs,
  failuresMax: 3,
};

/** A clock with one timer, which is all that the looks may have. */
class HandClock implements Clock {
  nowMs = 0;
  due: { readonly atMs: number; readonly fire: () => void } | undefined;
  monotonicMs(): number {
    return this.nowMs;
  }
  wallMs(): number {
    return this.nowMs;
  }
  timer(delayMs: number, fire: () => void): () => void {
    expect(this.due).toBeUndefined();
    this.due = { atMs: this.nowMs + delayMs, fire };
    return () => (this.due = undefined);
  }
  /** The timer's time comes. */
  fire(): void {
    const { atMs, fire } = this.due!;
    this.due = undefined;
    this.nowMs = Math.max(this.nowMs, atMs);
    fire();
  }
}

type Answer = "passes" | Error;

/** Looks that stay open until they are answered. */
function looks(failuresMax: number) {
  const clock = new HandClock();
  const told: string[] = [];
  let open: ((answer: Answer) => void) | undefined;
  let openMost = 0;
  let openCount = 0;
  let signal: AbortSignal | undefined;
  const probe: typeof probeOnce = (_plan, _subject, end) => {
    signal = end;
    openMost = Math.max(openMost, ++openCount);
    return new Promise((resolve, reject) => {
      open = (answer) => {
        open = undefined;
        openCount -= 1;
        if (answer === "passes") resolve();
        else reject(answer);
      };
    });
  };
  const stop = startLive({ ...plan, failuresMax }, subject, {
    clock,
    probe,
    onUnhealthy: (sentence) => told.push(sentence),
    onHealthy: () => told.push("healthy"),
  });
  const answer = async (what: Answer): Promise<void> => {
    if (open === undefined) clock.fire();
    open!(what);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  };
  return {
    clock,
    told,
    stop,
    answer,
    isLooking: () => open !== undefined,
    openMost: () => openMost,
    signal: () => signal!,
  };
}

const refused = (): Error => new ProbeError("ECONNREFUSED");

describe("liveness: counting", () => {
  test("so many failures in a row are told once, with what was seen last", async () => {
    const { answer, told } = looks(3);

    for (const what of [refused(), refused(), new ProbeError("no answer within 50 ms"), refused()]) await answer(what);

    expect(told).toEqual([
      "port 80 on 127.0.0.1 did not accept a connection, 3 times in a row (last: no answer within 50 ms)",
    ]);
  });

  test("a look that passes makes the count begin anew", async () => {
    const { answer, told } = looks(2);

    for (const what of [refused(), "passes", refused(), "passes", "passes"] as const) await answer(what);

    expect(told).toEqual(["healthy"]);
  });

  test("it gets healthy again, and unhealthy again", async () => {
    const { answer, told } = looks(1);
    const bad = "port 80 on 127.0.0.1 did not accept a connection (last: ECONNREFUSED)";

    for (const what of ["passes", refused(), refused(), "passes", refused()] as const) await answer(what);

    expect(told).toEqual(["healthy", bad, "healthy", bad]);
  });

  test("a shortage of colos itself is no failure and no success", async () => {
    const { answer, told } = looks(2);
    const own = () => new ProbeError("EMFILE", "own trouble");

    for (const what of [own(), own(), refused(), own(), own()]) await answer(what);
    expect(told).toEqual([]);
    await answer(refused());

    expect(told).toHaveLength(1);
  });
});

describe("liveness: time", () => {
  test("the first look is at once, the next begin everyMs apart", async () => {
    const { answer, clock, isLooking } = looks(1);

    expect(isLooking()).toBe(true);
    clock.nowMs = 300;
    await answer("passes");

    expect(clock.due?.atMs).toBe(everyMs);
  });

  test("a look that takes longer than everyMs is followed at once, never overtaken", async () => {
    const { answer, clock, openMost } = looks(1);

    clock.nowMs = 5 * everyMs;
    expect(clock.due).toBeUndefined();
    await answer("passes");
    expect(clock.due?.atMs).toBe(5 * everyMs);
    await answer("passes");

    expect(openMost()).toBe(1);
  });

  test("after stop nothing is told and nothing is under way", async () => {
    const waiting = looks(1);
    await waiting.answer("passes");
    waiting.stop();
    const looking = looks(1);
    looking.stop();
    await looking.answer(refused());

    expect(waiting.clock.due).toBeUndefined();
    expect(looking.signal().aborted).toBe(true);
    expect(looking.clock.due).toBeUndefined();
    expect(looking.told).toEqual([]);
  });
});

describe("liveness: real looks", () => {
  async function listen(server: Server): Promise<number> {
    server.listen(0, "127.0.0.1");
    onTestFinished(() => void server.close());
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  }

  /** What is told first. */
  function firstWord(probe: ProbePlan): Promise<string> {
    return new Promise((resolve) => {
      const stop = startLive({ probe, everyMs: 10, failuresMax: 2 }, subject, {
        clock: nodePlatform().clock,
        onUnhealthy: resolve,
        onHealthy: () => resolve("healthy"),
      });
      onTestFinished(stop);
    });
  }

  test("a port that accepts is healthy", async () => {
    const port = await listen(createServer((socket) => socket.destroy()));

    expect(await firstWord({ kind: "port", port, host: "127.0.0.1", timeoutMs: 5000 })).toBe("healthy");
  });

  test("a server that does not answer fails at the look's time-out", async () => {
    const url = `http://127.0.0.1:${await listen(createHttpServer(() => undefined))}/`;

    expect(await firstWord({ kind: "http", url, timeoutMs: 30 })).toBe(
      `GET ${url} was not answered with a status from 200 to 399, 2 times in a row (last: no answer within 30 ms)`,
    );
  });

  test("a command that hangs is killed at the look's time-out", async () => {
    expect(await firstWord({ kind: "exec", command: ["sleep", "1000"], timeoutMs: 30 })).toBe(
      "the command sleep 1000 did not exit with 0, 2 times in a row (last: still running after 30 ms)",
    );
  });

  test("a command that cannot be started is a failure like others", async () => {
    expect(await firstWord({ kind: "exec", command: ["not-a-command"], timeoutMs: 5000 })).toBe(
      `the command not-a-command did not exit with 0, 2 times in a row (last: command not-a-command cannot be started in ${tmpdir()}: ENOENT)`,
    );
  });
});
