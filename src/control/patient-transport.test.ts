import { describe, expect, test } from "vitest";
import { FakeClock } from "../../test/fake-cli-host.ts";
import type { HttpTransport } from "./manager-client.ts";
import { pathOf } from "./manager-routes.ts";
import { daemonBackLookMs, daemonBackMs, lookAgainMs, patientTransport } from "./patient-transport.ts";

/** A transport on which each post fails with the next code, and then is answered. */
function failing(...codes: readonly string[]): HttpTransport & { postsCount: number } {
  const left = [...codes];
  const transport = {
    address: "/socket",
    postsCount: 0,
    post: () => {
      transport.postsCount += 1;
      const code = left.shift();
      return code === undefined
        ? Promise.resolve({ status: 200, body: "{}" })
        : Promise.reject(Object.assign(new Error(code), { code }));
    },
    stream: () => Promise.reject(new Error("no streams here")),
  };
  return transport;
}

/** Lets time pass whenever somebody waits for it. */
async function settled<T>(promise: Promise<T>, clock: FakeClock): Promise<T> {
  const over = promise.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([over, false]))) {
    await new Promise((resolve) => setImmediate(resolve));
    if (clock.timersCount > 0) clock.advance(daemonBackLookMs);
  }
  return promise;
}

describe("patientTransport", () => {
  test("asks again while the daemon is on its way back", async () => {
    const clock = new FakeClock();
    const transport = failing("ECONNREFUSED", "ENOENT");
    const patient = patientTransport(transport, { clock, isExpected: () => Promise.resolve(true) });

    await expect(settled(patient.post("/", ""), clock)).resolves.toMatchObject({ status: 200 });
    expect(transport.postsCount).toBe(3);
  });

  test("asks once when nobody brings it back", async () => {
    const transport = failing("ENOENT");
    const patient = patientTransport(transport, { clock: new FakeClock(), isExpected: () => Promise.resolve(false) });

    await expect(patient.post("/", "")).rejects.toMatchObject({ code: "ENOENT" });
    expect(transport.postsCount).toBe(1);
  });

  test("never sends again what may have been done", async () => {
    const transport = failing("ECONNRESET");
    const patient = patientTransport(transport, { clock: new FakeClock(), isExpected: () => Promise.resolve(true) });

    await expect(patient.post("/", "")).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(transport.postsCount).toBe(1);
  });

  test("gives up after its time", async () => {
    const clock = new FakeClock();
    const transport = failing(...Array.from({ length: 1_000 }, () => "ENOENT"));
    const patient = patientTransport(transport, { clock, isExpected: () => Promise.resolve(true) });

    await expect(settled(patient.post("/", ""), clock)).rejects.toMatchObject({ code: "ENOENT" });
    expect(clock.monotonicMs()).toBe(daemonBackMs);
  });

  test("the time in which a frozen daemon did not answer does not count", async () => {
    const clock = new FakeClock();
    const transport = failing("ECONNRESET", "ENOENT");
    const { post } = transport;
    transport.post = (path, body) => {
      if (transport.postsCount === 0) clock.advance(30_000);
      return post(path, body);
    };
    const patient = patientTransport(transport, { clock, isExpected: () => Promise.resolve(true) });

    await expect(settled(patient.post(pathOf("system", "list"), "{}"), clock)).resolves.toMatchObject({ status: 200 });
    expect(transport.postsCount).toBe(3);
  });

  test("asks a question again whose connection was lost, for a while", async () => {
    const clock = new FakeClock();
    const look = pathOf("system", "list");
    const transport = failing("ECONNRESET", "EPIPE");
    const patient = patientTransport(transport, { clock, isExpected: () => Promise.resolve(false) });
    await expect(settled(patient.post(look, "{}"), clock)).resolves.toMatchObject({ status: 200 });

    const lost = failing(...Array.from({ length: 1000 }, () => "ECONNRESET"));
    const inVain = patientTransport(lost, { clock, isExpected: () => Promise.resolve(true) }).post(look, "{}");
    await expect(settled(inVain, clock)).rejects.toThrow("ECONNRESET");
    expect(lost.postsCount).toBe(lookAgainMs / daemonBackLookMs + 1);
  });

  test("never repeats an operation whose connection was lost", async () => {
    const transport = failing("ECONNRESET");
    const patient = patientTransport(transport, { clock: new FakeClock(), isExpected: () => Promise.resolve(true) });
    await expect(patient.post(pathOf("services", "restart"), "{}")).rejects.toThrow("ECONNRESET");
    expect(transport.postsCount).toBe(1);
  });
});
