/**
 * The check that the campaign of daemon-killed.test.ts can fail: daemons with one defect each are found, and by the check that is
 * meant for it.
 */
import { torture, TortureError } from "colos/testing";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { needsLinux } from "./debian.ts";
import { brokenDaemons, buildBroken } from "./torture/daemon/broken.ts";
import { daemonProperty, plan } from "./torture/daemon/property.ts";

/** Within so many kills each is found that does not need more. */
const killsDefault = 20;
/** What such a daemon does not get done in this time, in milliseconds, it never does. */
const settledMs = 5_000;
/** `torture` kills once, the workload the other times. */
const windowMs = 1;
const workloadMs = 240_000;
const timeoutMs = workloadMs + 120_000;
const linux = needsLinux();

linux.describe("a daemon that is broken is found", () => {
  for (const broken of brokenDaemons) {
    linux.test(
      broken.id,
      async () => {
        const folder = realpathSync(mkdtempSync(join(tmpdir(), "colos-broken-")));
        onTestFinished(() => rmSync(folder, { recursive: true }));
        const dist = await buildBroken(broken, folder);

        const found = await torture(
          daemonProperty({ dist, programs: {}, kills: broken.kills ?? killsDefault, settledMs, windowMs }),
          plan(windowMs),
          {
            runs: 1,
            seed: 1,
            workloadMs,
          },
        ).then(
          () => "nothing was found",
          (error: unknown) => (error instanceof TortureError ? error.report.failure?.check : String(error)),
        );

        expect(found).toMatch(broken.check);
      },
      timeoutMs,
    );
  }
});
