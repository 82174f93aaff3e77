/**
 * A daemon of which there is nothing but the heart's side: it says who it is, and keeps its heart.
 *
 * Its argument is the home. What a test wants of it stands in files there: `ends` (it ends with status 3 before it says who it is).
 *
 * @module
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { keepHeart } from "../../src/daemon/boot/heart.ts";
import { homeAt } from "../../src/daemon/home.ts";
import { identityLines, identityOf } from "../../src/daemon/os-identity.ts";
import { nodePlatform } from "../../src/platforms/node/node-platform.ts";

const home = homeAt(process.argv[2]!);
if (existsSync(join(home.root, "ends"))) {
  process.stderr.write("this daemon cannot live\n");
  process.exit(3);
}
mkdirSync(home.log, { recursive: true });
writeFileSync(home.daemon, identityLines(identityOf(process.pid)!));
const heart = keepHeart({
  home,
  clock: nodePlatform().clock,
  command: [process.execPath, process.argv[1]!, home.root],
  cwd: "/",
  settings: {
    intervalMs: 500,
    triesMax: 3,
    firstAnswerMs: 20_000,
    restartsMax: 3,
    windowMs: 600_000,
    slowMs: 600_000,
    backoffMaxMs: 100,
  },
  onNote: (sentence) => writeFileSync(join(home.root, "note"), sentence),
});
process.on("SIGTERM", () => {
  heart.rest("down");
  process.exit(0);
});
process.on("SIGUSR2", () => {
  heart.rest({ handOverMs: 2_000 });
  process.exit(0);
});
setInterval(() => {}, 60_000);
