import { expect, test } from "vitest";
import { FakeClock } from "../../test/fake-cli-host.ts";
import type { HttpAnswer, HttpTransport } from "./manager-client.ts";
import { askEveryMs, attentiveTransport, silentMs } from "./silence.ts";

const answer: HttpAnswer = { status: 200, body: "{}" };

/** A daemon that answers requests when the test says so, and questions whether it lives while `lives`. */
function asked() {
  const clock = new FakeClock();
  const silences: number[] = [];
  const daemon = { lives: true, questionsCount: 0, answer: (_answer: HttpAnswer): void => {} };
  const raw: HttpTransport = {
    address: "/socket",
    post: (path) => {
      if (path.endsWith("/health")) {
        daemon.questionsCount += 1;
        return daemon.lives ? Promise.resolve(answer) : new Promise(() => {});
      }
      return new Promise((resolve) => (daemon.answer = resolve));
    },
    stream: () => Promise.reject(new Error("no streams here")),
  };
  const transport = attentiveTransport(raw, { clock, silent: (sinceAt) => void silences.push(sinceAt) });
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= askEveryMs / 2) {
      clock.advance(Math.min(left, askEveryMs / 2));
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    }
  };
  return { clock, silences, daemon, transport, pass };
}

test("a daemon that answers nothing is told of when the limit is reached, once, with the time since when", async () => {
  const { clock, silences, daemon, transport, pass } = asked();
  daemon.lives = false;
  const sinceAt = clock.wallMs();
  const listed = transport.post("/v1/system/list", "{}");
  await pass(silentMs - 1);
  expect(silences).toEqual([]);
  await pass(1);
  expect(silences).toEqual([sinceAt]);
  await pass(10 * silentMs);
  expect([silences.length, daemon.questionsCount]).toEqual([1, 1]);

  daemon.answer(answer);
  expect(await listed).toEqual(answer);
  expect(clock.timersCount).toBe(0);
});

test("an operation that takes long is not silence, and a daemon that freezes meanwhile is told of", async () => {
  const { silences, daemon, transport, pass } = asked();
  const stopped = transport.post("/v1/services/stop", "{}");
  await pass(20 * silentMs);
  expect(silences).toEqual([]);
  daemon.lives = false;
  await pass(2 * silentMs);
  expect(silences).toHaveLength(1);

  daemon.answer(answer);
  await stopped;
});

test("however many requests wait, one silence is told of once, and the next one again", async () => {
  const { silences, daemon, transport, pass } = asked();
  daemon.lives = false;
  const first = transport.post("/v1/system/list", "{}");
  const answerFirst = daemon.answer;
  const second = transport.post("/v1/services/stop", "{}");
  await pass(3 * silentMs);
  expect(silences).toHaveLength(1);

  answerFirst(answer);
  await first;
  await pass(3 * silentMs);
  expect(silences).toHaveLength(2);
  daemon.answer(answer);
  await second;
});

test("nothing is asked once the answer is there", async () => {
  const { clock, daemon, transport, pass } = asked();
  const listed = transport.post("/v1/system/list", "{}");
  daemon.answer(answer);
  await listed;
  await pass(10 * silentMs);
  expect([daemon.questionsCount, clock.timersCount]).toEqual([0, 0]);
});

test("a request that fails is not waited for any more", async () => {
  const { clock, transport } = asked();
  await expect(transport.stream("/v1/system/events", "{}")).rejects.toThrow("no streams here");
  expect(clock.timersCount).toBe(0);
});
