/**
 * The daemon is killed 500 times while services run, log, crash and are changed. What must hold stands in torture/daemon/property.ts;
 * `npm run campaign -- --kills 10000` does it for longer.
 */
import { torture } from "colos/testing";
import { expect } from "vitest";
import { needsLinux, needsProgram } from "../../debian.ts";
import { daemonProperty, plan } from "./property.ts";

const kills = 500;
const timeoutMs = 1_200_000;
const linux = needsLinux();
const programs = {
  redis: needsProgram("redis-server", "redis-server"),
  nginx: needsProgram("nginx", "nginx-light"),
  nats: needsProgram("nats-server", "nats-server"),
};

for (const [name, program] of Object.entries(programs)) program.test(`${name} is there to be looked after`, () => {});

linux.test(
  `${kills} times kill -9 of the daemon: no service, exit code, log line or acknowledged operation is lost, and none comes twice`,
  async () => {
    const found = Object.fromEntries(
      Object.entries(programs).map(([name, { path }]) => [name, path.startsWith("/") ? path : undefined]),
    );
    const property = daemonProperty({ dist: new URL("../../../dist/", import.meta.url), programs: found, kills });

    const report = await torture(property, plan, { runs: 1, workloadMs: timeoutMs });

    expect(report.ok).toBe(true);
    expect(report.skipped).toEqual([]);
  },
  timeoutMs,
);
