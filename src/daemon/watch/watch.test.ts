/** Watch: real files and the OS's own hints; what is not told is shown by what is told after it. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { nodePlatform } from "../../platforms/node/node-platform.ts";
import { ignoreOf, pathsToldMax, pollEveryMs, watchPaths, type WatchFolder, type WatchOptions } from "./watch.ts";

interface Setup {
  readonly paths?: (root: string) => string[];
  readonly ignore?: readonly string[];
  readonly before?: (root: string) => void;
  readonly options?: (root: string) => Partial<WatchOptions>;
}

/** A watched folder; `next` waits for the next news. */
async function watched({ paths = (root) => [root], ignore = [], before, options }: Setup = {}) {
  const root = mkdtempSync(join(tmpdir(), "colos-watch-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  before?.(root);
  const news: string[][] = [];
  const notices: string[] = [];
  let wake: () => void = () => undefined;
  const watching = watchPaths(
    { paths: paths(root), ignore, delayMs: 20 },
    {
      clock: nodePlatform().clock,
      onChange: (changed) => {
        news.push(changed.map((path) => path.slice(root.length + 1)).toSorted());
        wake();
      },
      onNotice: (sentence) => void notices.push(sentence),
      ...options?.(root),
    },
  );
  onTestFinished(() => watching.stop());
  await watching.ready;
  const next = async (): Promise<string[]> => {
    while (news.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return news.shift()!;
  };
  return {
    root,
    next,
    news,
    notices,
    watching,
    write: (name: string, text = "new") => writeFileSync(join(root, name), text),
  };
}

/** The news up to the one of `sentinel`, without it. */
async function newsUntil(sentinel: string, next: () => Promise<string[]>): Promise<string[]> {
  const told: string[] = [];
  while (!told.includes(sentinel)) told.push(...(await next()));
  return [...new Set(told)].filter((path) => path !== sentinel).toSorted();
}

describe("watch: what is told", () => {
  test("a file that comes, changes and goes", async () => {
    const { root, next, write } = await watched();

    write("a");
    expect(await next()).toEqual(["a"]);
    write("a", "more");
    expect(await next()).toEqual(["a"]);
    unlinkSync(join(root, "a"));
    expect(await next()).toEqual(["a"]);
  });

  test("an editor that replaces a file by renaming, each time", async () => {
    const { root, next, write } = await watched({
      before: (root) => writeFileSync(join(root, "config"), "0"),
      paths: (root) => [join(root, "config")],
    });

    for (const text of ["1", "2", "3"]) {
      write("config.tmp", text);
      renameSync(join(root, "config.tmp"), join(root, "config"));
      expect(await next()).toEqual(["config"]);
    }
  });

  test("a file of the same size, written at once after it was seen", async () => {
    const { next, write } = await watched();

    for (const text of ["1", "2", "3", "4", "5", "6"]) {
      write("a", text);
      expect(await next()).toEqual(["a"]);
    }
  });

  test("what is in new folders, however deep and quick", async () => {
    const { root, next } = await watched();
    mkdirSync(join(root, "x/y/z"), { recursive: true });
    writeFileSync(join(root, "x/y/z/one"), "");

    expect(await newsUntil("x/y/z/one", next)).toEqual([]);
    writeFileSync(join(root, "x/y/z/two"), "");
    expect(await next()).toEqual(["x/y/z/two"]);
  });

  test("a watched folder that is removed, made again and changed", async () => {
    const { root, next } = await watched({
      paths: (root) => [join(root, "src")],
      before: (root) => mkdirSync(join(root, "src")),
    });
    const write = (name: string) => writeFileSync(join(root, "src", name), name);
    write("a");
    await next();

    rmSync(join(root, "src"), { recursive: true });
    expect(await next()).toEqual(["src/a"]);
    mkdirSync(join(root, "src"));
    write("b");
    expect(await next()).toEqual(["src/b"]);
    write("c");
    expect(await next()).toEqual(["src/c"]);
  });

  test("a path that comes later, with the folders above it", async () => {
    const { root, next } = await watched({ paths: (root) => [join(root, "not/yet/there")] });

    mkdirSync(join(root, "not/yet"), { recursive: true });
    writeFileSync(join(root, "not/yet/there"), "");

    expect(await next()).toEqual(["not/yet/there"]);
  });

  test("a symlink that leads elsewhere", async () => {
    const { root, next } = await watched({
      paths: (root) => [join(root, "current")],
      before: (root) => {
        for (const release of ["1", "2"]) {
          mkdirSync(join(root, release));
          writeFileSync(join(root, release, "app"), release);
        }
        symlinkSync("1", join(root, "current"));
      },
    });

    symlinkSync("2", join(root, "current.new"));
    renameSync(join(root, "current.new"), join(root, "current"));

    expect(await next()).toEqual(["current/app"]);
  });

  test("changes that never pause are told all the same", async () => {
    let nowMs = 0;
    const timers: { atMs: number; fire: () => void }[] = [];
    let hint: (name: string) => void = () => undefined;
    const { next, write } = await watched({
      options: (root) => ({
        clock: {
          monotonicMs: () => nowMs,
          wallMs: () => Date.now(),
          timer: (delayMs, fire) => {
            const timer = { atMs: nowMs + delayMs, fire };
            timers.push(timer);
            return () => void timers.splice(timers.indexOf(timer), 1);
          },
        },
        watchFolder: (folder, onHint) => {
          if (folder === root) hint = onHint;
          return () => undefined;
        },
      }),
    });

    write("a");
    while (timers.every(({ atMs }) => atMs > nowMs)) {
      hint("a");
      nowMs += 19;
    }
    timers[0]!.fire();

    expect(await next()).toEqual(["a"]);
    expect(nowMs).toBeLessThan(6000);
  });

  test("not more paths than the limit are named", async () => {
    const { next, write } = await watched();

    for (let file = 0; file < 2 * pathsToldMax; file++) write(`f${file}`);

    expect((await next()).length).toBeLessThanOrEqual(pathsToldMax);
  });
});

describe("watch: what is not told", () => {
  test("mode, access, empty folders, and a neighbour of a watched file", async () => {
    const { root, next, write } = await watched({
      paths: (root) => [join(root, "dir"), join(root, "file")],
      before: (root) => {
        mkdirSync(join(root, "dir"));
        writeFileSync(join(root, "dir/a"), "");
        utimesSync(join(root, "dir/a"), 1, 1);
        writeFileSync(join(root, "file"), "");
      },
    });

    chmodSync(join(root, "dir/a"), 0o600);
    utimesSync(join(root, "dir/a"), 5, 1);
    mkdirSync(join(root, "dir/empty"));
    write("neighbour");
    write("file", "changed");

    expect(await newsUntil("file", next)).toEqual([]);
  });

  test("what is ignored, node_modules, .git and the home", async () => {
    const { root, next, write } = await watched({
      ignore: ["*.log", "build/out"],
      before: (root) => {
        for (const folder of ["node_modules", ".git", "home", "build/out", "src/build/out"])
          mkdirSync(join(root, folder), { recursive: true });
      },
      options: (root) => ({ home: join(root, "home") }),
    });

    for (const name of ["node_modules/a", ".git/a", "home/a", "x.log", "build/out/a"]) write(name);
    write("src/build/out/a");
    write("sentinel");

    expect(await newsUntil("sentinel", next)).toEqual(["src/build/out/a"]);
    expect(root).not.toBe("");
  });

  test("nothing after stop", async () => {
    const { news, watching, write } = await watched();
    const other = await watched();

    write("a");
    watching.stop();
    other.write("b");
    await other.next();

    expect(news).toEqual([]);
  });

  test.each([
    ["*.log", "/r/a/x.log", true],
    ["*.log", "/r/x.logs", false],
    ["x?y", "/r/x?y", true],
    ["x?y", "/r/xzy", false],
    ["a/*/c", "/r/a/b/c", true],
    ["a/*/c", "/r/a/b/b/c", false],
    ["./a/**", "/r/a/b/b/c", true],
    ["dist/", "/r/deep/dist", true],
  ])("the pattern %s and %s: %s", (pattern, path, isIgnored) => {
    expect(ignoreOf(["/r"], [pattern])(path)).toBe(isIgnored);
  });
});

describe("watch: limits", () => {
  const failing =
    (code: string): WatchFolder =>
    () => {
      throw Object.assign(new Error(code), { code });
    };

  test.each([
    ["ENOSPC", "the OS gives no more watches (ENOSPC; fs.inotify.max_user_watches is the limit)"],
    ["EMFILE", "the OS gives no more watches (EMFILE; fs.inotify.max_user_instances is the limit)"],
  ])("without watches (%s) it looks from time to time and says so", async (code, why) => {
    const { next, notices, write } = await watched({ options: () => ({ watchFolder: failing(code) }) });

    write("a");

    expect(await next()).toEqual(["a"]);
    expect(notices).toEqual([`${why}; it is looked every ${pollEveryMs} ms whether files have changed`]);
  });

  const most = { folders: 5, files: 5 };

  test("as many folders and files as are allowed are watched", async () => {
    const { next, notices, write } = await watched({
      before: (root) => {
        for (const name of ["1", "2", "3"]) mkdirSync(join(root, name)); // two more: the root and the one above
        for (const name of ["1/a", "1/b", "2/a", "a"]) writeFileSync(join(root, name), "");
      },
      options: () => ({ most }),
    });

    write("3/a");

    expect(await next()).toEqual(["3/a"]);
    expect(notices).toEqual([]);
  });

  test("more folders than the limit are looked at from time to time", async () => {
    const { notices } = await watched({
      before: (root) => {
        for (const name of ["1", "2", "3", "4"]) mkdirSync(join(root, name));
      },
      options: () => ({ most }),
    });

    expect(notices).toEqual([
      `more than 5 folders are to be watched; it is looked every ${pollEveryMs} ms whether files have changed`,
    ]);
  });

  test("files beyond the limit are said to be unseen", async () => {
    const { notices } = await watched({
      before: (root) => {
        for (let file = 0; file <= 5; file++) writeFileSync(join(root, String(file)), "");
      },
      options: () => ({ most }),
    });

    expect(notices).toEqual([
      "more than 5 files are to be watched, the rest is not seen; narrow watch.paths or add to watch.ignore",
    ]);
  });
});
