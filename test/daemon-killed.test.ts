/**
 * The daemon is killed 500 times while services run, log, crash and are changed, and with its heart and its recorder. What must
 * hold stands in torture/daemon/; `npm run campaign -- --kills 10000` does it for longer. Whether these would find what they look
 * for is the matter of daemon-broken.test.ts.
 */
import { torture, TortureError, type Plan, type Property, type TortureReport } from "colos/testing";
import { expect } from "vitest";
import { needsLinux, needsProgram } from "./debian.ts";
import { heartPlan, heartProperty } from "./torture/daemon/heart.ts";
import { daemonProperty, plan } from "./torture/daemon/property.ts";
import type { Campaign } from "./torture/daemon/system.ts";

const kills = 500;
const rounds = 2;
/** Minutes on a machine of its own, and many more on one that has much else to do; what hangs is told much sooner. */
const workloadMs = 1_500_000;
/** Longer, so that a run which takes too long tells where it is. */
const timeoutMs = workloadMs + 120_000;
const dist = new URL("../dist/", import.meta.url);
const linux = needsLinux();
const real = {
  redis: needsProgram("redis-server", "redis-server"),
  nginx: needsProgram("nginx", "nginx-light"),
  nats: needsProgram("nats-server", "nats-server"),
};
const programs = Object.fromEntries(
  Object.entries(real).map(([name, { path }]) => [name, path.startsWith("/") ? path : undefined]),
);

for (const [name, program] of Object.entries(real)) program.test(`${name} is there to be looked after`, () => {});

/** What fails says how to do it again. */
async function held(property: Property<Campaign>, faults: Plan, how: string): Promise<TortureReport> {
  try {
    return await torture(property, faults, { runs: 1, workloadMs });
  } catch (error) {
    if (!(error instanceof TortureError)) throw error;
    throw new Error(`${error.message}\nagain: npm run campaign -- ${how} --seed ${error.report.seed}`, {
      cause: error,
    });
  }
}

linux.test(
  `${kills} times kill -9 of the daemon: no service, exit code, log line or acknowledged operation is lost, and none comes twice`,
  async () => {
    const report = await held(daemonProperty({ dist, programs, kills }), plan(), `--kills ${kills}`);

    expect(report).toMatchObject({ ok: true, skipped: [], neverSeen: [] });
  },
  timeoutMs,
);

linux.test(
  `kill -9 of daemon, heart and recorder in ${rounds} rounds: the same, and a killed recorder loses one chunk of each pipe at most`,
  async () => {
    const report = await held(heartProperty({ dist, programs, rounds }), heartPlan, `--rounds ${rounds}`);

    expect(report).toMatchObject({ ok: true, skipped: [], neverSeen: [] });
  },
  timeoutMs,
);
